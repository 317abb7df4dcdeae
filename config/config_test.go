package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/roomgate/roomgate/internal/secrecy"
)

const (
	goodSecret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	signed     = "JWT_SECRET=" + goodSecret // what every good set of settings needs
)

func TestMain(m *testing.M) {
	secrecy.Secret(goodSecret)
	secrecy.Main(m, secrecy.Errors)
}

// load reads yaml as the file (empty: none) and each of given as a flag, if it begins with --, or else a variable.
func load(t *testing.T, yaml string, given ...string) (*Config, error) {
	t.Helper()
	src := Source{Flags: pflag.NewFlagSet("test", pflag.ContinueOnError)}
	AddFlags(src.Flags)
	var args []string
	for _, g := range given {
		if strings.HasPrefix(g, "--") {
			args = append(args, g)
		} else {
			src.Environ = append(src.Environ, g)
		}
	}
	if err := src.Flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	if yaml != "" {
		src.File = write(t, "roomgate.yaml", yaml)
	}
	c, err := Load(src)
	if secrecy.Error(t, err) == nil {
		secrecy.Text(t, strings.Join(c.Warnings(), "\n"))
	}
	return c, err
}

func mustLoad(t *testing.T, yaml string, given ...string) *Config {
	t.Helper()
	c, err := load(t, yaml, append(given, signed)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, name, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretAloneIsEnough(t *testing.T) {
	c, err := Load(Source{Environ: []string{signed}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.HTTP.PingInterval, 30*time.Second; got != want {
		t.Errorf("http.ping_interval is %v, want %v", got, want)
	}
	if got, want := c.Limits.MessageBytes, 100<<10; got != want {
		t.Errorf("limits.message_bytes is %d, want %d", got, want)
	}
	if got, want := len(c.Auth.Issuers), 1; got != want {
		t.Errorf("there are %d issuers, want %d", got, want)
	}
	if got := c.Warnings(); len(got) > 0 {
		t.Errorf("defaults give warnings: %q", got)
	}
}

func TestFlagWinsOverEnvironmentOverAliasOverFile(t *testing.T) {
	sources := []struct{ given, want string }{
		{"--http.addr=:4", ":4"},
		{"ROOMGATE_HTTP_ADDR=:3", ":3"},
		{"PORT=2", ":2"},
	}
	for len(sources) > 0 {
		var given []string
		for _, s := range sources {
			given = append(given, s.given)
		}
		if got, want := mustLoad(t, `http: {addr: ":1"}`, given...).HTTP.Addr, sources[0].want; got != want {
			t.Errorf("with %q and the file, http.addr is %q, want %q", given, got, want)
		}
		sources = sources[1:]
	}
	if got, want := mustLoad(t, `http: {addr: ":1"}`).HTTP.Addr, ":1"; got != want {
		t.Errorf("with the file, http.addr is %q, want %q", got, want)
	}
}

func TestWellKnownVariablesWorkAsTheyAre(t *testing.T) {
	c := mustLoad(t, "", "PORT=3000", "REDIS_URL=redis://redis:6379/1", "CORS_ORIGIN=https://a.example, https://b.example,")
	if got, want := c.HTTP.Addr, ":3000"; got != want {
		t.Errorf("PORT: got %q, want %q", got, want)
	}
	if got, want := string(c.Redis.URL), "redis://redis:6379/1"; got != want {
		t.Errorf("REDIS_URL: got %q, want %q", got, want)
	}
	if got, want := c.HTTP.AllowedOrigins, []string{"https://a.example", "https://b.example"}; !reflect.DeepEqual(got, want) {
		t.Errorf("CORS_ORIGIN: got %q, want %q", got, want)
	}
	if got, want := c.Auth.Secrets, []Secret{goodSecret}; !reflect.DeepEqual(got, want) {
		t.Error("JWT_SECRET: not the secret that was given")
	}
}

func TestEmptyVariableCountsAsNotSet(t *testing.T) {
	c := mustLoad(t, `log: {level: debug}`, "ROOMGATE_LOG_LEVEL=", "PORT=", "ROOMGATE_AUTH_SECRET=", "ROOMGATE_AUTH_SECRET_FILE=")
	if c.Log.Level != "debug" || c.HTTP.Addr != ":8080" {
		t.Errorf("log.level is %q and http.addr %q, want debug and :8080", c.Log.Level, c.HTTP.Addr)
	}
}

func TestFileIsTheOneThatRoomgateConfigNames(t *testing.T) {
	path := write(t, "other.yaml", "log: {level: warn}")
	if got := mustLoad(t, "", "ROOMGATE_CONFIG="+path).Log.Level; got != "warn" {
		t.Errorf("log.level is %q, want warn", got)
	}
	if got := mustLoad(t, "log: {level: error}", "ROOMGATE_CONFIG="+path).Log.Level; got != "error" {
		t.Errorf("with a file named otherwise, log.level is %q, want error", got)
	}
}

func TestNullKeepsTheDefault(t *testing.T) {
	c := mustLoad(t, "http:\nlimits:\n  message_burst:\n  outbox_bytes: null\nauth: {secret: null, secret_file: null}\n")
	if c.Limits.MessageBurst != 20 || c.Limits.OutboxBytes != 1<<20 || c.HTTP.Path != "/ws" {
		t.Errorf("got burst %d, outbox %d, path %q", c.Limits.MessageBurst, c.Limits.OutboxBytes, c.HTTP.Path)
	}
}

func TestEachKindIsReadFromFileAndText(t *testing.T) {
	templates := []string{"user:{sub}", "a,b"}
	want := mustLoad(t, "")
	want.HTTP.InsecureAnyOrigin = true
	want.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")}
	want.Auth.Audience = []string{"x", "y"}
	want.Auth.Issuers[0].Audience = want.Auth.Audience
	want.Auth.Expiring = 0
	want.Rooms.Auto = templates
	want.Redis.Password = "p"
	want.Redis.LeaveDelay = 90 * time.Second
	want.Limits.Connections = 7
	want.Limits.OutboxBytes = 64 << 10
	want.Limits.MessageBytes = 2000

	asFile := `
http: {insecure_any_origin: true, trusted_proxies: [10.0.0.0/8, "2001:db8::1"]}
auth: {audience: [x, " y ", ""], expiring: 0}
rooms: {auto: ["user:{sub}", "a,b"]}
redis: {password: p, leave_delay: 1m30s}
limits: {connections: 7, outbox_bytes: 64KiB, message_bytes: 2000}
`
	asStrings := `
http: {insecure_any_origin: "true", trusted_proxies: "10.0.0.0/8, 2001:db8::1,"}
auth: {audience: "x, y,", expiring: "0"}
rooms: {auto: "user:{sub}  a,b"}
redis: {password: "p\r\n", leave_delay: "90s"}
limits: {connections: "7", outbox_bytes: "65536", message_bytes: "2000"}
`
	flags := []string{
		"--http.insecure_any_origin", "--http.trusted_proxies=10.0.0.0/8", "--http.trusted_proxies=2001:db8::1", "--auth.audience=x", "--auth.audience=y", "--auth.expiring=0",
		"--rooms.auto=user:{sub}", "--rooms.auto=a,b", "--redis.password=p", "--redis.leave_delay=90s",
		"--limits.connections=7", "--limits.outbox_bytes=64KiB", "--limits.message_bytes=2000",
	}
	for name, got := range map[string]*Config{
		"file":            mustLoad(t, asFile),
		"strings in file": mustLoad(t, asStrings),
		"flags":           mustLoad(t, "", flags...),
	} {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

func TestAdminOffIsNoAddress(t *testing.T) {
	for _, yaml := range []string{"admin: {addr: off}", `admin: {addr: ""}`} {
		if got := mustLoad(t, yaml).Admin.Addr; got != "" {
			t.Errorf("%s: admin.addr is %q, want it empty", yaml, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	short := strings.Repeat("s", 40)
	c, err := load(t, "", "JWT_SECRET="+goodSecret+"\n"+short, "--http.insecure_any_origin", "--http.trusted_proxies=0.0.0.0/0")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"secret 2 of 2 has 40 bytes", "openssl rand -base64 48", "http.insecure_any_origin",
		"http.trusted_proxies: 0.0.0.0/0 is everybody"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings lack %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, short) || strings.Contains(got, "secret 1") {
		t.Errorf("warnings show a secret, or warn of a good one:\n%s", got)
	}
}
