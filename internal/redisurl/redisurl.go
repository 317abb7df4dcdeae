// Package redisurl reads the address of a Redis: one server, the same one at several addresses, a
// master that Sentinels name, or a Cluster. It knows nothing of how one connects there.
package redisurl

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Mode is how the server to connect to is found.
type Mode int

// The modes.
const (
	Servers  Mode = iota // redis://: Addrs are one service, at one or several addresses
	Socket               // unix://: Addrs is the path of a socket
	Sentinel             // redis+sentinel://: Addrs are Sentinels, which know the address of Master
	Cluster              // redis+cluster://: Addrs are some of the nodes
)

// URL is an address, read. Printed in any way, it shows no user and no password.
type URL struct {
	Mode               Mode
	TLS                bool     // rediss
	Addrs              []string // host:port each, at least one
	Username, Password string   // decoded; empty if there is none
	Master             string   // with Sentinel only, and then not empty
	DB                 int      // 0 in a Cluster
}

// The reasons why a URL is refused. None repeats any part of it: what makes one malformed is often a password that
// was not percent-encoded.
var (
	errMalformed = errors.New("is not such as redis://user:password@host:6379/0 (write what is special in user and password as %XX)")
	errScheme    = errors.New("must begin with redis://, rediss:// for TLS, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://")
	errOptions   = errors.New("must have no options after a ?, but the db of unix://")
	errHost      = errors.New("must name a host, or several with commas between, each with a port from 1 to 65535 or none")
	errDB        = errors.New("the path after the host must be the number of a database, such as /0, or nothing")
	errMaster    = errors.New("must name the master as the Sentinels do: redis+sentinel://host:26379,host:26379/mymaster, and /0 after it for a database")
	errCluster   = errors.New("must have no path: a Cluster has the database 0 only")
	errSocket    = errors.New("must name the socket as unix:///path/redis.sock, and the database, if it is not 0, as ?db=1")
)

var schemes = map[string]URL{
	"redis":           {Mode: Servers},
	"rediss":          {Mode: Servers, TLS: true},
	"unix":            {Mode: Socket},
	"redis+sentinel":  {Mode: Sentinel},
	"rediss+sentinel": {Mode: Sentinel, TLS: true},
	"redis+cluster":   {Mode: Cluster},
	"rediss+cluster":  {Mode: Cluster, TLS: true},
}

// Parse reads s. Its error says what to write instead, and shows nothing of s.
func Parse(s string) (URL, error) {
	scheme, rest, found := strings.Cut(s, "://")
	u, known := schemes[scheme]
	if !found || !known {
		return URL{}, errScheme
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	// A @ further on was meant to end a password, which then holds one of / ? #.
	if strings.Contains(path, "@") {
		return URL{}, errMalformed
	}
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		if err := u.parseUser(authority[:i]); err != nil {
			return URL{}, err
		}
		authority = authority[i+1:]
	}
	if err := u.parsePlace(authority, path); err != nil {
		return URL{}, err
	}
	return u, nil
}

func (u *URL) parsePlace(authority, path string) error {
	if u.Mode == Socket {
		return u.parseSocket(authority, path)
	}
	if strings.ContainsAny(path, "?#") {
		return errOptions
	}
	if err := u.parseHosts(authority); err != nil {
		return err
	}
	return u.parsePath(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"))
}

func (u *URL) parseUser(text string) error {
	parsed, err := url.Parse("redis://" + text + "@host")
	if err != nil || parsed.User == nil || parsed.Host != "host" {
		return errMalformed
	}
	u.Username = parsed.User.Username()
	u.Password, _ = parsed.User.Password()
	return nil
}

func (u *URL) parseSocket(authority, path string) error {
	path, query, _ := strings.Cut(path, "?")
	path, err := url.PathUnescape(path)
	if err != nil || authority != "" || len(path) < len("/s") || strings.ContainsAny(path, "#\x00") {
		return errSocket
	}
	u.Addrs = []string{path}
	if query == "" {
		return nil
	}
	db, ok := strings.CutPrefix(query, "db=")
	if !ok || !u.parseDB(db) {
		return errSocket
	}
	return nil
}

func (u *URL) parseHosts(authority string) error {
	for host := range strings.SplitSeq(authority, ",") {
		parsed, err := url.Parse("redis://" + host)
		if err != nil || parsed.Hostname() == "" || parsed.Host != host {
			return errHost
		}
		if strings.Contains(parsed.Hostname(), ":") && host[0] != '[' { // two ports, which net/url lets through
			return errHost
		}
		port := cmp.Or(parsed.Port(), "6379")
		if u.Mode == Sentinel {
			port = cmp.Or(parsed.Port(), "26379")
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errHost
		}
		u.Addrs = append(u.Addrs, net.JoinHostPort(parsed.Hostname(), port))
	}
	return nil
}

func (u *URL) parsePath(path string) error {
	switch u.Mode {
	case Cluster:
		if path != "" && path != "0" {
			return errCluster
		}
	case Sentinel:
		master, db, _ := strings.Cut(path, "/")
		master, err := url.PathUnescape(master)
		if err != nil || master == "" || !u.parseDB(db) {
			return errMaster
		}
		u.Master = master
	default:
		if !u.parseDB(path) {
			return errDB
		}
	}
	return nil
}

// parseDB reads the number of a database; nothing is 0.
func (u *URL) parseDB(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	u.DB = int(n)
	return text == "" || err == nil
}
