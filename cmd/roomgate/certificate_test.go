package main

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

// A volume is a directory as Kubernetes mounts it: each file is a link into ..data, which is a
// link itself, and is replaced at once.
type volume struct {
	t   *testing.T
	dir string
}

func newVolume(t *testing.T, files map[string]string) *volume {
	t.Helper()
	v := &volume{t, t.TempDir()}
	v.swap(files)
	for name := range files {
		v.must(os.Symlink(filepath.Join("..data", name), v.path(name)))
	}
	return v
}

func (v *volume) path(name string) string { return filepath.Join(v.dir, name) }

func (v *volume) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *volume) swap(files map[string]string) {
	v.t.Helper()
	next, err := os.MkdirTemp(v.dir, "..version")
	v.must(err)
	for name, content := range files {
		v.must(os.WriteFile(filepath.Join(next, name), []byte(content), 0o600))
	}
	link := v.path("..data_tmp")
	v.must(os.Symlink(filepath.Base(next), link))
	v.must(os.Rename(link, v.path("..data")))
}

// tlsFiles are a certificate of a, and a as the authority of clients.
func tlsFiles(a *authority, name string) map[string]string {
	cert, key := a.issue(name, time.Time{})
	return map[string]string{"tls.crt": cert, "tls.key": key, "ca.crt": a.pem()}
}

func (v *volume) environ(withClients bool) []string {
	environ := []string{"ROOMGATE_HTTP_TLS_CERT_FILE=" + v.path("tls.crt"), "ROOMGATE_HTTP_TLS_KEY_FILE=" + v.path("tls.key")}
	if withClients {
		environ = append(environ, "ROOMGATE_HTTP_TLS_CLIENT_CA_FILE="+v.path("ca.crt"))
	}
	return environ
}

// dialTLS returns the connection and the name of the certificate that was shown.
func dialTLS(t *testing.T, addr string, c *tls.Config) (nc *tls.Conn, shown string, err error) {
	t.Helper()
	dialer := &net.Dialer{Timeout: wstest.Patience}
	if nc, err = tls.DialWithDialer(dialer, "tcp", addr, c); err != nil {
		return nil, "", err
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc, nc.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestMessagesReachClientsOverTLS(t *testing.T) {
	a := newAuthority(t)
	redis := redistest.Start(t)
	for name, environ := range map[string][]string{
		"alone":                  {},
		"after the PROXY header": {"ROOMGATE_HTTP_PROXY_PROTOCOL=true", "ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1"},
	} {
		r := serve(t, redis.URL(), append(newVolume(t, tlsFiles(a, "first")).environ(false), environ...)...)
		nc := r.tcp()
		if len(environ) > 0 {
			nc = &prefixed{nc, "PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n"}
		}
		secure := tls.Client(nc, &tls.Config{RootCAs: a.pool(), ServerName: "127.0.0.1", NextProtos: []string{"h2", "http/1.1"}})
		c, err := wstest.Over(t, secure, "wss"+strings.TrimPrefix(r.url, "ws"), "Sec-WebSocket-Protocol: roomgate.v1",
			"Authorization: Bearer "+newToken(t, "u1", "42"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := secure.ConnectionState().NegotiatedProtocol; got != "http/1.1" {
			t.Errorf("%s: the protocol is %q, want http/1.1: no other can be upgraded", name, got)
		}
		c.WantType("hello")
		if err := redis.Client().Publish(t.Context(), "room:42", `{"n":1}`).Err(); err != nil {
			t.Fatal(err)
		}
		c.WantText(`{"type":"message","room":"42","data":{"n":1}}`)
		c.Drop()
		if len(environ) > 0 {
			await(t, "the client's address", func() bool { return strings.Contains(r.stderr.String(), `"addr":"192.0.2.7"`) })
		}
	}
}

func TestTLSBelow12AndPlainHTTPAreRefused(t *testing.T) {
	a := newAuthority(t)
	r := serveUnready(t, "redis://127.0.0.1:1", newVolume(t, tlsFiles(a, "first")).environ(false)...)
	addr := strings.TrimPrefix(r.front, "http://")
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		if _, _, err := dialTLS(t, addr, &tls.Config{RootCAs: a.pool(), MinVersion: version, MaxVersion: version}); err == nil {
			t.Errorf("%s was accepted", tls.VersionName(version))
		}
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if _, _, err := dialTLS(t, addr, &tls.Config{RootCAs: a.pool(), MinVersion: version, MaxVersion: version}); err != nil {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
	if status, _ := get(t, r.front+"/ws"); status != http.StatusBadRequest {
		t.Errorf("plain HTTP got %d, want 400", status)
	}
}

func TestClientWithoutACertificateOfTheAuthorityIsRefused(t *testing.T) {
	a := newAuthority(t)
	r := serveUnready(t, "redis://127.0.0.1:1", newVolume(t, tlsFiles(a, "first")).environ(true)...)
	addr := strings.TrimPrefix(r.front, "http://")
	status := func(pairs ...tls.Certificate) (int, error) {
		nc, _, err := dialTLS(t, addr, &tls.Config{RootCAs: a.pool(), Certificates: pairs})
		if err != nil {
			return 0, err
		}
		c, err := wstest.Over(t, nc, "wss://"+addr+"/ws") // by TLS 1.3 a client hears of its refusal only when it reads
		if err != nil {
			return 0, err
		}
		return c.Response.StatusCode, nil
	}
	if got, err := status(); err == nil {
		t.Errorf("without a certificate: status %d, want an end of the connection", got)
	}
	if got, err := status(newAuthority(t).pair("stranger")); err == nil {
		t.Errorf("with a certificate of another authority: status %d, want an end of the connection", got)
	}
	if got, err := status(a.pair("client")); err != nil || got != http.StatusServiceUnavailable { // there is no Redis
		t.Errorf("with a certificate: got %d, %v, want 503", got, err)
	}
}

// secureNode is a server that looks at its certificates often.
func secureNode(t *testing.T, log io.Writer, environ []string) (addr string, s *server) {
	t.Helper()
	c, err := config.Load(config.Source{Environ: append([]string{"ROOMGATE_HTTP_ADDR=127.0.0.1:0", "ROOMGATE_ADMIN_ADDR=off",
		"JWT_SECRET=" + testSecret, "REDIS_URL=redis://127.0.0.1:1"}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = newServer(c, secrecy.Log(t, slog.NewJSONHandler(log, nil))); err != nil {
		t.Fatal(err)
	}
	s.certificates.every = 5 * time.Millisecond
	l, err := listen(c)
	if err != nil {
		t.Fatal(err)
	}
	signals, done := make(chan os.Signal, 2), make(chan error, 1)
	go func() { done <- s.run(t.Context(), l, signals) }()
	t.Cleanup(func() { // t.Context has ended by now
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.front.Addr().String(), s
}

func TestCertificatesAreReadAgainWhenKubernetesSwapsThem(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	v := newVolume(t, tlsFiles(a, "first"))
	log := new(output)
	addr, s := secureNode(t, log, v.environ(true))
	as := func(server, client *authority) *tls.Config {
		return &tls.Config{RootCAs: server.pool(), Certificates: []tls.Certificate{client.pair("client")}}
	}
	old, shown, err := dialTLS(t, addr, as(a, a))
	if err != nil || shown != "first" {
		t.Fatalf("shown %q, %v, want first", shown, err)
	}
	before, err := wstest.Over(t, old, "wss://"+addr+"/ws")
	if err != nil {
		t.Fatal(err)
	}

	v.swap(tlsFiles(b, "second"))
	await(t, "the second certificate", func() bool {
		_, shown, err := dialTLS(t, addr, as(b, b))
		return err == nil && shown == "second"
	})
	nc, _, err := dialTLS(t, addr, as(b, a))
	if err == nil {
		_, err = wstest.Over(t, nc, "wss://"+addr+"/ws")
	}
	if err == nil {
		t.Error("a client of the old authority was let in")
	}
	if _, err := before.Conn().Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Errorf("a connection that was there before: %v", err)
	}

	third := tlsFiles(b, "third")
	third["tls.key"] = tlsFiles(b, "another")["tls.key"]
	v.swap(third)
	await(t, "the error", func() bool { return strings.Contains(log.String(), "private key does not match") })
	if _, shown, err := dialTLS(t, addr, as(b, b)); err != nil || shown != "second" {
		t.Errorf("with a bad pair, shown %q, %v, want second", shown, err)
	}
	v.swap(tlsFiles(b, "fourth"))
	await(t, "the fourth certificate", func() bool {
		_, shown, err := dialTLS(t, addr, as(b, b))
		return err == nil && shown == "fourth"
	})
	if got := strings.Count(log.String(), "is not good: the old one stays"); got != 1 {
		t.Errorf("the bad pair was told %d times, want once", got)
	}
	if got, want := testutil.ToFloat64(s.certificates.expiry), float64(s.certificates.current.Load().until.Unix()); got != want {
		t.Errorf("the metric says that it ends at %v, want %v", got, want)
	}
}

func TestCertificateThatIsNotGoodIsNoStart(t *testing.T) {
	a := newAuthority(t)
	redis := redistest.Start(t)
	good := tlsFiles(a, "first")
	for want, files := range map[string]map[string]string{
		"http.tls_cert_file and http.tls_key_file: tls: private key does not match": {"tls.key": tlsFiles(a, "other")["tls.key"]},
		"http.tls_cert_file and http.tls_key_file: tls: failed to find":             {"tls.crt": "nonsense"},
		"http.tls_client_ca_file: no certificate in PEM form is in it":              {"ca.crt": "nonsense"},
		"http.tls_key_file: open": {},
	} {
		v := newVolume(t, good)
		for name, content := range good {
			if _, replaced := files[name]; !replaced {
				files[name] = content
			}
		}
		v.swap(files)
		if strings.HasSuffix(want, "open") {
			v.must(os.Remove(v.path("tls.key")))
		}
		environ := append(v.environ(true), "JWT_SECRET="+testSecret)
		code, _, stderr := command(t, environ, "serve", "--http.addr=127.0.0.1:0", "--admin.addr=off")
		if code != 1 || !strings.Contains(stderr, "roomgate: "+want) {
			t.Errorf("exit code %d and %s, want 1 and %q", code, stderr, want)
		}
		_, stdout, _ := command(t, environ, "check", "--redis.url="+redis.URL())
		wantIn(t, stdout, "FAIL  certificate  "+want)
	}
}

func TestExpiredCertificateIsToldAndServed(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("old", time.Now().Add(-time.Minute))
	v := newVolume(t, map[string]string{"tls.crt": cert, "tls.key": key})
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), v.environ(false)...)
	wantIn(t, r.stderr.String(), "the certificate of http.tls_cert_file has expired")
	_, stdout, _ := command(t, append(v.environ(false), "JWT_SECRET="+testSecret), "check", "--redis.url="+redis.URL())
	wantIn(t, stdout, "warn  certificate  that of http.tls_cert_file has expired")
}
