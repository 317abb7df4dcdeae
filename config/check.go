package config

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/redisurl"
)

// check notes what is wrong with values that could be read: what the table cannot say, and what does not go together.
func (l *loader) check(c *Config) {
	l.checkHTTP(c)
	l.checkProxies(c)
	l.checkUpstream(c)
	l.checkTLS(c)
	l.checkIssuers(c)
	l.checkAuth(c)
	l.checkRooms(c)
	l.checkRedis(c)
	l.checkControl(c)
	l.checkLimits(c)
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
	if u, err := redisurl.Parse(string(c.Redis.URL)); err != nil {
		l.fail("redis.url", "%w", err)
	} else {
		l.checkRedisTLS(c, u)
		l.checkSentinel(c, u)
		if c.Redis.Sharded && u.Mode != redisurl.Cluster {
			l.fail("redis.sharded", "is for a Cluster only: write redis+cluster:// in redis.url, or leave this out")
		}
	}
	if p := c.Redis.ChannelPrefix; !isName(p) {
		l.fail("redis.channel_prefix", "%q is not at most "+nameNoun, p)
	}
	if least := 2 * c.Redis.CanaryInterval; c.Redis.CanaryTimeout < least { // or one that is late would be a silence, and a gap for all rooms
		l.fail("redis.canary_timeout", "%v is less than %v, which is twice redis.canary_interval", c.Redis.CanaryTimeout, least)
	}
}

func (l *loader) checkRedisTLS(c *Config, u redisurl.URL) {
	r := c.Redis
	for _, file := range [][2]string{{"redis.ca_file", r.CAFile}, {"redis.cert_file", r.CertFile}, {"redis.key_file", r.KeyFile}} {
		if key, path := file[0], file[1]; path != "" && !u.TLS {
			l.fail(key, "is for TLS only: begin redis.url with rediss, or leave this out")
		}
	}
	if (r.CertFile == "") != (r.KeyFile == "") {
		l.fail("redis.cert_file", "and redis.key_file go together: set both, or neither")
	}
}

func (l *loader) checkSentinel(c *Config, u redisurl.URL) {
	if u.Mode == redisurl.Sentinel {
		return
	}
	r := c.Redis
	for _, given := range [][2]string{
		{"redis.sentinel_username", r.SentinelUsername},
		{"redis.sentinel_password", string(r.SentinelPassword)},
		{"redis.sentinel_password_file", r.SentinelPasswordFile},
	} {
		if key, value := given[0], given[1]; value != "" {
			l.fail(key, "is not read: redis.url does not begin with redis+sentinel:// or rediss+sentinel://")
		}
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

func (l *loader) checkLimits(c *Config) {
	if age := c.Limits.ConnectionAge; age != 0 && age < time.Minute {
		l.fail("limits.connection_age", "%v is less than 1m, at which clients would do little but reconnect; 0 is never", age)
	}
}
