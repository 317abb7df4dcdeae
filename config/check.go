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

const (
	minSecretBytes = 32 // for the shortest hash, RFC 7518 §3.2
	generateSecret = "openssl rand -base64 48"
)

// hashBytes is the size of an algorithm's hash, and so the least that its secret may have (RFC 7518 §3.2).
var hashBytes = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

// check notes what is wrong with values that could be read: what the table cannot say, and what does not go together.
func (l *loader) check(c *Config) {
	l.checkHTTP(c)
	l.checkSecrets(c)
	l.checkAuth(c)
	l.checkRooms(c)
	l.checkRedis(c)
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

func (l *loader) checkSecrets(c *Config) {
	if len(c.Auth.Secrets) == 0 {
		l.fail("auth.secret", "is required: set JWT_SECRET, or auth.secret_file, to what signs your tokens; "+
			"a new one: %s", generateSecret)
	}
	least := minSecretBytes // for the shortest algorithm that is on
	if len(c.Auth.Algorithms) > 0 {
		least = hashBytes[slices.MinFunc(c.Auth.Algorithms, func(a, b string) int { return hashBytes[a] - hashBytes[b] })]
	}
	for i, secret := range c.Auth.Secrets {
		if len(secret) < least {
			l.fail("auth.secret", "secret %d of %d has %d bytes, and needs %d for the shortest of auth.algorithms: %s",
				i+1, len(c.Auth.Secrets), len(secret), least, generateSecret)
		}
	}
}

func (l *loader) checkAuth(c *Config) {
	if len(c.Auth.Algorithms) == 0 {
		l.fail("auth.algorithms", "is empty: no token could be verified")
	}
	if len(c.Auth.TokenFrom) == 0 {
		l.fail("auth.token_from", "is empty: no token could be read")
	}
	l.checkClaim("auth.rooms_claim", c.Auth.RoomsClaim)
	l.checkClaim("auth.publish_claim", c.Auth.PublishClaim)

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
	if p := c.Redis.ChannelPrefix; len(p) > 64 || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' }) {
		l.fail("redis.channel_prefix", "%q is not at most 64 bytes of printable ASCII without spaces", p)
	}
	if c.Redis.CanaryTimeout <= c.Redis.CanaryInterval {
		l.fail("redis.canary_timeout", "%v is not more than redis.canary_interval, %v", c.Redis.CanaryTimeout, c.Redis.CanaryInterval)
	}
}

// isDatabase reports whether the path of a Redis URL is the number of a database, or nothing.
func isDatabase(path string) bool {
	db := strings.Trim(path, "/")
	_, err := strconv.ParseUint(db, 10, 16)
	return db == "" || err == nil
}
