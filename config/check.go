package config

import (
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// check notes what is wrong with values that could be read: what the table cannot say, and what does not go together.
func (l *loader) check(c *Config) {
	l.checkHTTP(c)
	l.checkIssuers(c)
	l.checkAuth(c)
	l.checkRooms(c)
	l.checkRedis(c)
	l.checkControl(c)
}

func (l *loader) checkHTTP(c *Config) {
	l.checkAddr("http.addr", c.HTTP.Addr)
	if c.Admin.Addr != "" {
		l.checkAddr("admin.addr", c.Admin.Addr)
	}
	if p := c.HTTP.Path; !strings.HasPrefix(p, "/") || path.Clean(p) != p || strings.ContainsAny(p, "{}?#%\\ \t") {
		l.fail("http.path", "%q is not a plain path, such as /ws: it begins with / and does not end with one", p)
	}
	for _, origin := range c.HTTP.AllowedOrigins {
		if problem := originProblem(origin); problem != "" {
			l.fail("http.allowed_origins", "%q %s", origin, problem)
		}
	}
	if c.HTTP.PongTimeout >= c.HTTP.PingInterval {
		l.fail("http.pong_timeout", "%v is not less than http.ping_interval, %v", c.HTTP.PongTimeout, c.HTTP.PingInterval)
	}
}

func (l *loader) checkAddr(key, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		l.fail(key, "%q is not host:port, such as 127.0.0.1:8080 or :8080", addr)
	}
}

// originProblem says what is wrong with an entry of http.allowed_origins; empty: nothing.
func originProblem(origin string) string {
	switch origin {
	case "*":
		return "would let any web page connect: list yours, or, if that is meant, set http.insecure_any_origin"
	case "null":
		return "is sent by sandboxed and local pages of anybody, so it cannot be allowed"
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.Opaque != "" {
		return "is not an origin, such as https://app.example.com"
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#") {
		return "has more than scheme, host and port: write " + u.Scheme + "://" + u.Host
	}
	host, wild := strings.CutPrefix(u.Hostname(), "*.")
	if strings.Contains(host, "*") || host == "" || wild && u.Scheme != "http" && u.Scheme != "https" {
		return "has a * elsewhere than as the first label of a web host, as in https://*.example.com"
	}
	return ""
}

func (l *loader) checkAuth(c *Config) {
	if len(c.Auth.TokenFrom) == 0 {
		l.fail("auth.token_from", "is empty: no token could be read")
	}
	fetched := func(issuer Issuer) bool { return issuer.JWKSURL != "" || issuer.Discovery }
	if c.Auth.CAFile != "" && len(c.Auth.Issuers) > 0 && !slices.ContainsFunc(c.Auth.Issuers, fetched) {
		l.fail("auth.ca_file", "is not read: no key is fetched, by jwks_url or discovery")
	}
	l.checkClaim("auth.rooms_claim", c.Auth.RoomsClaim)
	l.checkClaim("auth.publish_claim", c.Auth.PublishClaim)
	if p := c.Auth.RevokedPrefix; p == "" || !isName(p) {
		l.fail("auth.revoked_prefix", "%q is not 1 to "+nameNoun, p)
	}

	fromCookie := slices.Contains(c.Auth.TokenFrom, "cookie")
	switch {
	case c.Auth.Cookie == "" && !fromCookie:
		return
	case c.Auth.Cookie == "":
		l.fail("auth.token_from", "has cookie, but auth.cookie does not name it")
	case !fromCookie:
		l.fail("auth.cookie", "is not read: add cookie to auth.token_from")
	case (&http.Cookie{Name: c.Auth.Cookie}).Valid() != nil:
		l.fail("auth.cookie", "%q is not a cookie's name", c.Auth.Cookie)
	}
	if fromCookie && (len(c.HTTP.AllowedOrigins) == 0 || c.HTTP.InsecureAnyOrigin) {
		l.fail("auth.token_from", "has cookie, which a browser sends whichever page connects: "+
			"list your pages in http.allowed_origins, without http.insecure_any_origin")
	}
}

func (l *loader) checkClaim(key, claim string) {
	if slices.Contains(strings.Split(claim, "."), "") {
		l.fail(key, "%q is not a claim's name, or names with dots between", claim)
	}
}

func (l *loader) checkRedis(c *Config) {
	switch u, ok := c.Redis.URL.parse(); {
	case !ok:
		l.fail("redis.url", "is not such as redis://user:password@host:6379/0; what is special in user and password must be percent-encoded")
	case u.Scheme != "redis" && u.Scheme != "rediss":
		l.fail("redis.url", "its scheme is %q, and must be redis, or rediss for TLS", u.Scheme)
	case u.Scheme == "redis" && c.Redis.CAFile != "":
		l.fail("redis.ca_file", "is for TLS only: write rediss:// in redis.url, or leave this out")
	case !isDatabase(u.Path):
		l.fail("redis.url", "the path after its host must be the number of a database, such as /0")
	}
	if p := c.Redis.ChannelPrefix; !isName(p) {
		l.fail("redis.channel_prefix", "%q is not at most "+nameNoun, p)
	}
	if c.Redis.CanaryTimeout <= c.Redis.CanaryInterval {
		l.fail("redis.canary_timeout", "%v is not more than redis.canary_interval, %v", c.Redis.CanaryTimeout, c.Redis.CanaryInterval)
	}
}

// checkControl sees to it that no room is the control channel: whoever may publish to a room would be obeyed.
func (l *loader) checkControl(c *Config) {
	channel, prefix := c.Control.Channel, c.Redis.ChannelPrefix
	switch {
	case channel == "" || !isName(channel):
		l.fail("control.channel", "%q is not 1 to "+nameNoun, channel)
	case c.Control.Enabled && prefix == "":
		l.fail("control.channel", "with an empty redis.channel_prefix a room may have any name, and so this one: set a prefix")
	case c.Control.Enabled && strings.HasPrefix(channel, prefix):
		l.fail("control.channel", "%q begins with redis.channel_prefix, %q, and so could be a room's: choose another name", channel, prefix)
	}
}

const nameNoun = "64 bytes of printable ASCII without spaces"

// isName reports whether s may be, or begin, the name of a channel or a key.
func isName(s string) bool {
	return len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isDatabase reports whether the path of a Redis URL is the number of a database, or nothing.
func isDatabase(path string) bool {
	db := strings.Trim(path, "/")
	_, err := strconv.ParseUint(db, 10, 16)
	return db == "" || err == nil
}
