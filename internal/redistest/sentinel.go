package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

const (
	masterName = "mymaster"
	quorum     = 2
	perGroup   = 3 // servers, and sentinels
)

// hasten shortens what a sentinel's file cannot, until the sentinel is restarted. By greetings
// (publish-period) the sentinels find each other, and after four they set a server right that came
// back as what it is not; by INFO they learn what it is. In milliseconds; 2000 and 10000 unless said.
var hasten = []any{"SENTINEL", "DEBUG", "publish-period", "250", "info-period", "500"}

// A Sentinel is a master with two replicas, and the three sentinels that watch them. They call a
// master down after a second, and another is master about a second later. They end with the test.
// Its methods are for the test's own goroutine; URL may be called from any.
type Sentinel struct {
	t         testing.TB
	servers   []*Server
	sentinels []*Server
	ca        *authority // nil without TLS
}

// StartSentinel runs the servers with args, as Start does, and the sentinels, which have no password.
// It returns once all sentinels know all others, so that a failover works.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	g := &Sentinel{t: t}
	g.start(args...)
	return g
}

// start runs the servers with args, and the sentinels.
func (g *Sentinel) start(args ...string) {
	t := g.t
	t.Helper()
	for range perGroup {
		s := newServer(t, args...)
		if g.ca != nil {
			g.ca.secure(s, "no")
		}
		s.args = append(s.args, "--repl-diskless-sync-delay", "0") // seconds; 5 unless said
		if s.password != "" {
			s.args = append(s.args, "--masterauth", s.password)
		}
		g.servers = append(g.servers, s)
	}
	start(g.servers...)
	for _, s := range g.servers[1:] {
		if err := s.do("REPLICAOF", "127.0.0.1", g.servers[0].port); err != nil {
			t.Fatal(err)
		}
		s.args = append(s.args, "--replicaof", "127.0.0.1 "+g.servers[0].port)
	}
	for range perGroup {
		s := newSentinel(t, g.servers[0])
		if g.ca != nil {
			g.ca.secure(s, "no")
			s.args = append(s.args, "--tls-replication", "yes") // its own connections
		}
		g.sentinels = append(g.sentinels, s)
	}
	start(g.sentinels...)
	for _, s := range g.sentinels {
		if err := s.do(hasten...); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "sentinels that could fail over", g.ready)
}

// newSentinel returns a sentinel of master that does not run yet. It keeps what it learns in its file.
func newSentinel(t testing.TB, master *Server) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{t: t, dir: dir, conf: filepath.Join(dir, "sentinel.conf"),
		args: []string{"--bind", "127.0.0.1", "--dir", dir, "--loglevel", "warning"}}
	conf := []string{
		"sentinel resolve-hostnames no",
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s %d", masterName, master.port, quorum),
		"sentinel down-after-milliseconds " + masterName + " 1000",
		"sentinel failover-timeout " + masterName + " 5000",
		"sentinel parallel-syncs " + masterName + " 2",
	}
	if master.password != "" {
		conf = append(conf, "sentinel auth-pass "+masterName+" "+strconv.Quote(master.password))
	}
	if err := os.WriteFile(s.conf, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
		t.Fatalf("writing a sentinel's file: %v", err)
	}
	return s
}

// ready returns nil if each sentinel is content with the master, both replicas and both others.
func (g *Sentinel) ready() error {
	for _, s := range g.sentinels {
		for _, of := range []struct{ what, flags string }{{"REPLICAS", "slave"}, {"SENTINELS", "sentinel"}} {
			cmd := redis.NewMapStringStringSliceCmd(context.Background(), "SENTINEL", of.what, masterName)
			if err := s.ask(cmd); err != nil {
				return err
			}
			if got := len(cmd.Val()); got != perGroup-1 {
				return fmt.Errorf("%s knows %d %s of %d", s.Addr(), got, of.what, perGroup-1)
			}
			for _, one := range cmd.Val() {
				if link := one["master-link-status"]; one["flags"] != of.flags || link != "" && link != "ok" {
					return fmt.Errorf("%s says of %s: %s, link to the master %q", s.Addr(), one["name"], one["flags"], link)
				}
			}
		}
		if _, err := s.text("SENTINEL", "CKQUORUM", masterName); err != nil {
			return err
		}
	}
	return nil
}

// Servers returns the master and the two replicas, whatever each is now. The first was master at the start.
func (g *Sentinel) Servers() []*Server { return g.servers }

// Sentinels returns the three sentinels.
func (g *Sentinel) Sentinels() []*Server { return g.sentinels }

// URL is the sentinels' addresses and the master's name: redis+sentinel://host:port,…/mymaster, or rediss+sentinel://…
// with TLS.
func (g *Sentinel) URL() string {
	return scheme(g.ca) + "+sentinel://" + addrs(g.sentinels) + "/" + masterName
}

// Master asks the sentinels for the master. Of several answers the one of the last failover counts.
func (g *Sentinel) Master() *Server {
	g.t.Helper()
	addr, last := "", -1
	var errs []error
	for _, s := range live(g.t, g.sentinels) {
		named, epoch, err := s.namesMaster()
		errs = append(errs, err)
		if err == nil && epoch > last {
			addr, last = named, epoch
		}
	}
	master := byAddr(g.servers, addr)
	if master == nil {
		g.t.Fatalf("the sentinels name %q as master: %v", addr, errors.Join(errs...))
	}
	return master
}

// namesMaster is the address that the sentinel gives to clients, and the number of the failover from
// which it has that.
func (s *Server) namesMaster() (addr string, epoch int, err error) {
	state := redis.NewMapStringStringCmd(context.Background(), "SENTINEL", "MASTER", masterName)
	name := redis.NewStringSliceCmd(context.Background(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
	if err := errors.Join(s.ask(state), s.ask(name)); err != nil {
		return "", 0, err
	}
	epoch, err = strconv.Atoi(state.Val()["config-epoch"])
	return strings.Join(name.Val(), ":"), epoch, err
}

// AwaitMaster waits until all sentinels that run name one master, another than not, and it says itself
// that it is. It returns that; the test fails if it takes 30 seconds.
func (g *Sentinel) AwaitMaster(not *Server) (master *Server) {
	g.t.Helper()
	await(g.t, "another master", func() error {
		master = nil
		for _, s := range live(g.t, g.sentinels) {
			addr, _, err := s.namesMaster()
			if err != nil {
				return err
			}
			named := byAddr(g.servers, addr)
			if named == nil || named == not || master != nil && named != master {
				return fmt.Errorf("%s names %s", s.Addr(), addr)
			}
			master = named
		}
		return master.isMaster()
	})
	return master
}
