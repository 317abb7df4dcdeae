package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

const rotatedSecret = "another secret of tests, sixty-four bytes long, as the first one."

// A reloadable is a replica with a file of settings and one with its secret.
type reloadable struct {
	*replica
	dir        string
	ok, failed int // reloads so far
}

func serveReloadable(t *testing.T, settings string, environ ...string) *reloadable {
	t.Helper()
	r := &reloadable{dir: t.TempDir()}
	r.write(t, "roomgate.yaml", settings)
	r.write(t, "secret", testSecret)
	r.replica = serve(t, redistest.Start(t).URL(), append([]string{"JWT_SECRET=", "ROOMGATE_CONFIG=" + r.path("roomgate.yaml"),
		"ROOMGATE_AUTH_SECRET_FILE=" + r.path("secret"), "ROOMGATE_AUTH_REJECT=status"}, environ...)...)
	return r
}

func (r *reloadable) path(name string) string { return filepath.Join(r.dir, name) }

func (r *reloadable) write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(r.path(name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload asks for a reload, and waits for its result.
func (r *reloadable) reload(want string) {
	r.t.Helper()
	count := &r.ok
	if want == "failed" {
		count = &r.failed
	}
	*count++
	r.reloads <- syscall.SIGHUP
	await(r.t, "a reload that is "+want, func() bool {
		_, metrics := get(r.t, r.admin+"/metrics")
		return strings.Contains(metrics, fmt.Sprintf("roomgate_reloads_total{result=%q} %d\n", want, *count))
	})
}

// status is what an upgrade with a token signed with secret gets.
func (r *reloadable) status(secret string, header ...string) int {
	r.t.Helper()
	token, err := auth.Sign([]byte(secret), map[string]any{"sub": "u1", "rooms": "42", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := wstest.Try(r.t, r.url, append(header, "Authorization: Bearer "+token)...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Drop()
	return c.Response.StatusCode
}

func (r *reloadable) wantStatus(secret string, want int, header ...string) {
	r.t.Helper()
	if got := r.status(secret, header...); got != want {
		r.t.Errorf("an upgrade got %d, want %d", got, want)
	}
}

func TestRotatedSecretIsTakenOverAndConnectionsStay(t *testing.T) {
	r := serveReloadable(t, "")
	before := r.dial("42")
	r.wantStatus(rotatedSecret, http.StatusUnauthorized)

	r.write(t, "secret", rotatedSecret+"\n"+testSecret)
	r.reload("ok")
	r.wantStatus(rotatedSecret, http.StatusSwitchingProtocols)
	r.wantStatus(testSecret, http.StatusSwitchingProtocols)

	r.write(t, "secret", rotatedSecret)
	r.reload("ok")
	r.wantStatus(rotatedSecret, http.StatusSwitchingProtocols)
	r.wantStatus(testSecret, http.StatusUnauthorized)

	before.SendText(`{"type":"publish","room":"42","data":1,"ref":1}`)
	got := string(before.Next().Payload) + string(before.Next().Payload) // in either order
	wantIn(t, got, `"published"`, `"message"`)
	wantIn(t, r.stderr.String(), `"msg":"the settings were reloaded","changed":["auth.secret"]`)
	for _, secret := range []string{testSecret, rotatedSecret} {
		if strings.Contains(r.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

func TestBadSettingsChangeNothing(t *testing.T) {
	const origin = "Origin: https://app.example.com"
	r := serveReloadable(t, "")
	for _, bad := range []struct{ settings, secret string }{
		{"pathh: /x", rotatedSecret}, // no such setting
		{"[", rotatedSecret},         // no YAML
		{"path: /}\nlimits: {connections: 2000000000", rotatedSecret},           // more than open files
		{"path: /}\nrooms: {allow: " + strings.Repeat("a", 129), rotatedSecret}, // longer than the verifier takes
		{"path: /ws", "short"},
		{"path: /ws", ""},
	} {
		r.write(t, "roomgate.yaml", "http: {allowed_origins: [https://app.example.com], "+bad.settings+"}")
		r.write(t, "secret", bad.secret)
		r.reload("failed")
		r.wantStatus(testSecret, http.StatusSwitchingProtocols)
		r.wantStatus(testSecret, http.StatusForbidden, origin)
		r.wantStatus(rotatedSecret, http.StatusUnauthorized)
	}
	wantIn(t, r.stderr.String(), "the settings were not reloaded, and nothing has changed", "did you mean http.path?", "secret 1 of 1 has 5 bytes",
		"AllowRooms", "/secret is empty")
}

func TestOriginsLimitsProxiesAndLogLevelChangeLive(t *testing.T) {
	r := serveReloadable(t, "", "ROOMGATE_LOG_LEVEL=") // as the file says
	r.wantStatus(testSecret, http.StatusForbidden, "Origin: https://app.example.com")
	r.wantStatus(testSecret, http.StatusSwitchingProtocols)
	r.write(t, "roomgate.yaml", `
http: {allowed_origins: [https://app.example.com], trusted_proxies: [127.0.0.1], require_origin: true}
limits: {handshakes_per_address: 1}
log: {level: error}
`)
	r.reload("ok")
	const client = "X-Forwarded-For: 192.0.2.7"
	r.wantStatus(testSecret, http.StatusForbidden, client)
	r.wantStatus(testSecret, http.StatusTooManyRequests, client, "Origin: https://app.example.com")
	r.wantStatus(testSecret, http.StatusSwitchingProtocols, "X-Forwarded-For: 192.0.2.8", "Origin: https://app.example.com")
	wantIn(t, r.stderr.String(), `"changed":["http.allowed_origins","http.require_origin","http.trusted_proxies","limits.handshakes_per_address","log.level"]`)
	if strings.Contains(r.stderr.String(), "rate_limited") {
		t.Error("a warning was logged though log.level is error")
	}
}

func TestSettingsThatNeedARestartKeepTheirValueAndAreNamed(t *testing.T) {
	r := serveReloadable(t, "")
	r.write(t, "roomgate.yaml", "http: {path: /other, handshake_timeout: 7s}\nredis: {password: a-new-password}\nlog: {format: text}\ngap: {spread: 1ms}")
	r.reload("ok")
	r.wantStatus(testSecret, http.StatusSwitchingProtocols)
	if status, _ := get(t, r.front+"/other"); status != http.StatusNotFound {
		t.Errorf("GET /other is %d, want 404", status)
	}
	wantIn(t, r.stderr.String(), `"changed":["gap.spread"],"needs_restart":["http.path","http.handshake_timeout","redis.password","log.format"]`)
	if strings.Contains(r.stderr.String(), "a-new-password") {
		t.Error("a secret is in the log")
	}
}

func TestNewCertificateIsReadAtOnceOnReload(t *testing.T) {
	a := newAuthority(t)
	v := newVolume(t, tlsFiles(a, "first"))
	r := serveReloadable(t, "", v.environ(false)...)
	shown := func() string {
		_, shown, err := dialTLS(t, strings.TrimPrefix(r.front, "http://"), &tls.Config{RootCAs: a.pool()})
		if err != nil {
			t.Fatal(err)
		}
		return shown
	}
	v.swap(tlsFiles(a, "second"))
	r.reload("ok")
	if got := shown(); got != "second" {
		t.Errorf("shown %s, want second", got)
	}
	v.swap(map[string]string{"tls.crt": "nonsense", "tls.key": "nonsense"})
	r.reload("failed")
	if got := shown(); got != "second" {
		t.Errorf("after a bad pair, shown %s, want second", got)
	}
}

func TestKeysThatCannotBeFetchedChangeNothing(t *testing.T) {
	published := make(chan struct{}) // closed: the keys can be had
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-published:
			_, _ = io.WriteString(w, `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig",`+ // RFC 7517, appendix A.1
				`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(keys.Close)
	load := func(environ ...string) *config.Config {
		c, err := config.Load(config.Source{Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	s, err := newServer(load("JWT_SECRET="+testSecret), secrecy.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	next := load("ROOMGATE_AUTH_JWKS_URL="+keys.URL, "ROOMGATE_AUTH_INSECURE_HTTP=true", "ROOMGATE_AUTH_AUDIENCE=chat")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // of the patience of a reload
	defer cancel()
	if _, _, err := s.replaceVerifier(ctx, next); err == nil {
		t.Error("a verifier without keys was taken")
	}
	close(published)
	v, stop, err := s.replaceVerifier(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := v.Ready(); err != nil {
		t.Errorf("the verifier that was taken is not ready: %v", err)
	}
}

func TestRealProcessReloadsOnSighup(t *testing.T) {
	var stderr output
	dir := t.TempDir()
	settings := filepath.Join(dir, "roomgate.yaml")
	write := func(content string) {
		if err := os.WriteFile(settings, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("log: {level: info}")
	cmd := exec.Command("roomgate", "--http.addr=127.0.0.1:0", "--admin.addr=off", "--drain.delay=0", "--config", settings)
	cmd.Env = []string{"JWT_SECRET=" + testSecret, "REDIS_URL=redis://127.0.0.1:1", "ROOMGATE_LOG_LEVEL=debug", "GORACE=atexit_sleep_ms=0"}
	cmd.Env = append(cmd.Env, secrecy.Environ()...)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, unless the test failed
	said := func(what string) {
		t.Helper()
		await(t, what, func() bool { return strings.Contains(stderr.String(), what) })
	}
	said(`"msg":"serving"`)
	write("gap: {spread: 7s}")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	said(`"changed":["gap.spread"]`)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0; it said\n%s", err, stderr.String())
	}
}
