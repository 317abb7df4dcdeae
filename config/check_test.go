package config

import (
	"strings"
	"testing"
)

func TestAddressesAndPathsAreChecked(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "PORT=0", "is not a port number from 1 to 65535"},
		{"", "PORT=65536", "is not a port number"},
		{"", "PORT=:80", "is not a port number"},
		{"", "--http.addr=8080", "is not host:port"},
		{"", "--http.addr=:http", "is not host:port"},
		{"", "--http.addr=", "is not host:port"},
		{"", "--admin.addr=localhost", "is not host:port"},
		{"", "--http.path=ws", "is not a plain path"},
		{"", "--http.path=/ws/", "is not a plain path"},
		{"", "--http.path=/{x}", "is not a plain path"},
		{"", "--http.default_format=json", "is not one of raw, v1"},
	})
	if got := mustLoad(t, "", "--http.path=/").HTTP.Path; got != "/" {
		t.Errorf("http.path is %q, want /", got)
	}
}

func TestOriginsAreChecked(t *testing.T) {
	mustLoad(t, "", "CORS_ORIGIN=https://a.example:8443,http://localhost,https://*.example.com,capacitor://localhost,http://[::1]:3000")
	checkRefusals(t, []refusal{
		{"", "CORS_ORIGIN=*", "set http.insecure_any_origin"},
		{"", "CORS_ORIGIN=null", "cannot be allowed"},
		{"", "CORS_ORIGIN=app.example.com", "is not an origin"},
		{"", "CORS_ORIGIN=localhost:3000", "is not an origin"},
		{"", "CORS_ORIGIN=https://", "is not an origin"},
		{"", "CORS_ORIGIN=https://a.example/", "write https://a.example"},
		{"", "CORS_ORIGIN=https://a.example/x?y", "write https://a.example"},
		{"", "CORS_ORIGIN=https://u@a.example", "write https://a.example"},
		{"", "CORS_ORIGIN=https://a.example#", "write https://a.example"},
		{"", "CORS_ORIGIN=https://*", "has a * elsewhere"},
		{"", "CORS_ORIGIN=https://a*.example", "has a * elsewhere"},
		{"", "CORS_ORIGIN=https://*.*.example", "has a * elsewhere"},
		{"", "CORS_ORIGIN=app://*.example", "has a * elsewhere"},
	})
}

func TestDurationsAreChecked(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "--http.handshake_timeout=0", "0 is less than 1ms"},
		{"", "--http.ping_interval=100ms", "100ms is less than 1s"},
		{"", "--http.pong_timeout=0s", "0s is less than 1ms"},
		{"", "--http.ping_interval=10s", "http.pong_timeout (default): 10s is not less than http.ping_interval, 10s"},
		{"", "--auth.leeway=6m", "6m is more than 5m"},
		{"", "--auth.leeway=-1s", "-1s is less than 0"},
		{"", "--auth.timeout=0", "is less than 1ms"},
		{"", "--auth.expiring=-1s", "is less than 0"},
		{"", "--redis.leave_delay=-1s", "is less than 0"},
		{"", "--redis.canary_timeout=3s", "3s is less than 4s, which is twice redis.canary_interval"},
		{"", "--redis.timeout=0", "is less than 1ms"},
		{"", "--limits.frame_timeout=0", "is less than 1ms"},
		{"", "--gap.spread=-1s", "is less than 0"},
		{"", "--drain.delay=-1s", "is less than 0"},
		{"", "--drain.period=-1s", "is less than 0"},
	})
}

func TestLimitsAreChecked(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "--limits.connections=-1", "-1 is less than 0"},
		{"", "--limits.connections_per_address=-2", "-2 is less than -1"},
		{"", "--limits.handshakes_per_address=-2", "-2 is less than -1"},
		{"", "--limits.failed_tokens_per_address=-2", "-2 is less than -1"},
		{"", "--limits.connections_per_user=-1", "-1 is less than 0"},
		{"", "--limits.subscribes_per_minute=-1", "-1 is less than 0"},
		{"", "--limits.connection_age=59s", "59s is less than 1m"},
		{"", "--limits.connection_age=-1s", "-1s is less than 0"},
		{"", "--limits.rooms_per_connection=0", "0 is less than 1"},
		{"", "--limits.message_bytes=0", "0 is less than 1"},
		{"", "--limits.message_bytes=65MiB", "65MiB is more than 64MiB"},
		{"", "--limits.messages_per_minute=-1", "-1 is less than 0"},
		{"", "--limits.message_burst=0", "0 is less than 1"},
		{"", "--limits.outbox_bytes=4095", "4095 is less than 4KiB"},
		{"", "--limits.mailbox_bytes=1023KiB", "1023KiB is less than 1MiB"},
	})
	c := mustLoad(t, "", "--limits.connections_per_address=-1", "--limits.handshakes_per_address=-1",
		"--limits.failed_tokens_per_address=-1", "--limits.connection_age=1m")
	if c.Limits.ConnectionsPerAddress != -1 || c.Limits.HandshakesPerAddress != -1 || c.Limits.FailedTokensPerAddress != -1 {
		t.Errorf("the limits of an address are %+v, want -1", c.Limits)
	}
}

func TestDryRunIsForLimitsThatProtectOthersOnly(t *testing.T) {
	mustLoad(t, "", "--limits.dry_run=handshakes,connections_per_address,connections_per_user,handshakes_per_address,failed_tokens_per_address,"+
		"messages_per_minute,message_bytes,rooms_per_connection,subscribes_per_minute,connects_per_second")
	for _, limit := range []string{"connections", "upstream_requests", "outbox_bytes", "outbox_total_bytes", "mailbox_bytes", "frame_timeout"} {
		checkRefusals(t, []refusal{{"", "--limits.dry_run=" + limit, limit + " protects memory and open files, and always holds"}})
	}
	checkRefusals(t, []refusal{
		{"", "--limits.dry_run=message_byte", `"message_byte" is not one of handshakes, connections_per_address`},
		{"limits: {dry_run: [message_bytes, 1]}", "", "is not a list"},
	})
}

func TestSecretMustBeAsLongAsTheShortestHash(t *testing.T) {
	for _, test := range []struct {
		bytes      int
		algorithms string
		want       string // empty: accepted
	}{
		{31, "HS256,HS512", "secret 1 of 1 has 31 bytes, and needs 32"},
		{32, "HS256,HS512", ""},
		{47, "HS384,HS512", "has 47 bytes, and needs 48"},
		{48, "HS512,HS384", ""},
		{63, "HS512", "has 63 bytes, and needs 64"},
		{64, "HS512", ""},
	} {
		_, err := load(t, "", "JWT_SECRET="+strings.Repeat("s", test.bytes), "--auth.algorithms="+test.algorithms)
		if test.want == "" && err != nil {
			t.Errorf("%d bytes for %s: %v", test.bytes, test.algorithms, err)
		}
		if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%d bytes for %s: got %v, want %q", test.bytes, test.algorithms, err, test.want)
		}
	}
}

func TestAuthIsChecked(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "--auth.algorithms=HS1", `"HS1" is not one of HS256, HS384, HS512, RS256`},
		{"", "--auth.algorithms=none", `"none" is not one of`},
		{"auth: {algorithms: []}", "", "no token could be verified"},
		{"", "--auth.token_from=header,body", `"body" is not one of`},
		{"", "--auth.token_from=,", "no token could be read"},
		{"", "--auth.reject=drop", "is not one of close, status"},
		{"", "--auth.rooms_claim=", "is not a claim's name"},
		{"", "--auth.publish_claim=a..b", "is not a claim's name"},
		{"", "--auth.revoked_prefix=", "is not 1 to 64 bytes"},
		{"", "--auth.revoked_prefix=a b", "without spaces"},
		{"", "--auth.jwks_stale=9m", "9m is less than 10m"},
		{"", "--auth.ca_file=/ca.pem", "no key is fetched"},
	})
}

func TestCookieNeedsItsNameItsPlaceAndOrigins(t *testing.T) {
	const origins = "http: {allowed_origins: https://a.example}\n"
	mustLoad(t, origins+"auth: {token_from: cookie, cookie: session}")
	checkRefusals(t, []refusal{
		{origins + "auth: {token_from: cookie}", "", "auth.cookie does not name it"},
		{origins + "auth: {cookie: session}", "", "add cookie to auth.token_from"},
		{origins + "auth: {token_from: cookie, cookie: 'a b'}", "", "is not a cookie's name"},
		{"auth: {token_from: cookie, cookie: session}", "", "list your pages in http.allowed_origins"},
		{origins + "auth: {token_from: cookie, cookie: session}", "--http.insecure_any_origin", "without http.insecure_any_origin"},
	})
}

func TestRoomTemplatesAreChecked(t *testing.T) {
	mustLoad(t, "", "--rooms.auto=user:{sub} org/{org.id}", "--rooms.allow=** chat:* {sub}", "--rooms.publish=a_.:@=+,~/-Z9")
	checkRefusals(t, []refusal{
		{"", "--rooms.auto=user:*", "rooms.allow takes patterns"},
		{"", "--rooms.allow=café", "has a character that no room has"},
		{"rooms: {allow: ['a b']}", "", "has a character that no room has"},
		{"", "--rooms.allow=a}", "has a character that no room has"},
		{"", "--rooms.publish=***", "more than two * in a row"},
		{"", "--rooms.auto=user:{sub", "has braces that do not hold a claim"},
		{"", "--rooms.auto=user:{}", "has braces that do not hold a claim"},
		{"", "--rooms.auto=user:{a.}", "has braces that do not hold a claim"},
		{"", "--rooms.auto=user:{{a}", "has braces that do not hold a claim"},
	})
}

func TestRedisIsChecked(t *testing.T) {
	mustLoad(t, "", "REDIS_URL=rediss://:p%40ss@host,other:1/15", "--redis.ca_file=/ca.pem", "--redis.cert_file=/c.pem", "--redis.key_file=/k.pem")
	mustLoad(t, "", "REDIS_URL=redis+sentinel://a,b,c/mymaster", "--redis.sentinel_username=u", "--redis.sentinel_password=p")
	mustLoad(t, "", "REDIS_URL=redis+cluster://a,b,c")
	mustLoad(t, "", "REDIS_URL=redis+cluster://a,b,c", "--redis.sharded")
	mustLoad(t, "", "REDIS_URL=unix://:p@/run/redis.sock?db=1")
	mustLoad(t, `redis: {channel_prefix: ""}`)
	checkRefusals(t, []refusal{
		{"", "REDIS_URL=http://host", "must begin with redis://"},
		{"", "REDIS_URL=host:6379", "must begin with redis://"},
		{"", "REDIS_URL=redis:///0", "must name a host"},
		{"", "REDIS_URL=redis://:a/b@host", "special in user and password as %XX"},
		{"", "REDIS_URL=redis://host/x", "must be the number of a database"},
		{"", "REDIS_URL=redis://host?dial_timeout=1s", "must have no options"},
		{"", "REDIS_URL=redis+sentinel://host", "must name the master"},
		{"", "REDIS_URL=redis+cluster://host/1", "the database 0 only"},
		{"", "--redis.ca_file=/ca.pem", "is for TLS only"},
		{"redis: {url: 'rediss://host'}", "--redis.key_file=/k.pem", "redis.key_file go together"},
		{"", "--redis.sharded", "is for a Cluster only"},
		{"", "--redis.sentinel_username=u", "is not read"},
		{"", "--redis.sentinel_password=p", "is not read"},
		{"redis: {channel_prefix: 'a b'}", "", "without spaces"},
		{"redis: {channel_prefix: é}", "", "printable ASCII"},
		{"redis: {channel_prefix: " + strings.Repeat("a", 65) + "}", "", "at most 64 bytes"},
	})
}

func TestControlIsNoRoom(t *testing.T) {
	mustLoad(t, "", "--control.enabled")
	mustLoad(t, "redis: {channel_prefix: 'roomgate:'}") // not enabled
	mustLoad(t, "redis: {channel_prefix: ''}")
	mustLoad(t, "", "--control.enabled", "--control.channel=room", "--redis.channel_prefix=room:")
	checkRefusals(t, []refusal{
		{"control: {enabled: true, channel: 'room:x'}", "", `"room:x" begins with redis.channel_prefix, "room:"`},
		{"control: {enabled: true, channel: 'room:'}", "", "could be a room's"},
		{"redis: {channel_prefix: 'roomgate:'}", "--control.enabled", "control.channel (default)"},
		{"redis: {channel_prefix: ''}", "--control.enabled", "a room may have any name"},
		{"", "--control.channel=", "is not 1 to 64 bytes"},
		{"", "--control.channel=a b", "without spaces"},
		{"", "--control.channel=" + strings.Repeat("a", 65), "is not 1 to 64 bytes"},
	})
}

func TestLogIsChecked(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "--log.level=trace", "is not one of debug, info, warn, error"},
		{"", "--log.format=logfmt", "is not one of json, text"},
	})
}
