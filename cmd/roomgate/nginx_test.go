package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// An nginx is a real one with docs/examples/nginx.conf, in which only names, paths, ports and
// a timeout are others.
type nginx struct {
	t     testing.TB
	dir   string
	plain string // host:port
	addr  string // host:port of TLS
	roots *x509.CertPool
}

// startNginx starts nginx in front of roomgate and an API, each host:port. The test's end ends it.
func startNginx(t testing.TB, roomgate, api string) *nginx {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // which is not in the path of everybody who can run it
		if _, err := os.Stat(path); err != nil {
			t.Fatal("install nginx (apt-get install nginx-light / brew install nginx)")
		}
	}
	n := &nginx{t: t, dir: t.TempDir(), plain: freeAddr(t), addr: freeAddr(t)}
	n.writeCertificate()
	b, err := os.ReadFile("../../docs/examples/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	example := string(b)
	for old, replacement := range map[string]string{
		"listen 80;": "listen " + n.plain + ";", "listen 443 ssl;": "listen " + n.addr + " ssl;",
		"127.0.0.1:8080;": roomgate + ";", "127.0.0.1:3000;": api + ";",
		"/etc/nginx/tls/": n.dir + "/", "/var/log/nginx/": n.dir + "/", "proxy_read_timeout 60s;": "proxy_read_timeout 2s;",
	} {
		if !strings.Contains(example, old) {
			t.Fatalf("docs/examples/nginx.conf has no %q any more: change this test, too", old)
		}
		example = strings.ReplaceAll(example, old, replacement)
	}
	n.write("example.conf", example)
	main := "worker_processes 1;\npid " + n.dir + "/pid;\nerror_log " + n.dir + "/error.log;\nevents {}\nhttp {\n"
	if os.Getuid() == 0 {
		main = "user root;\n" + main // its directory is the test's only
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + n.dir + "/" + kind + ";\n"
	}
	n.write("nginx.conf", main+"access_log off;\ninclude "+n.dir+"/example.conf;\n}\n")

	cmd := exec.Command(path, "-p", n.dir, "-c", n.dir+"/nginx.conf", "-e", n.dir+"/error.log", "-g", "daemon off;")
	var said output
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // takes its worker with it
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx said:\n%s\n%s", said.String(), n.read("error.log"))
		}
	})
	await(t, "nginx", func() bool {
		nc, err := net.Dial("tcp", n.addr)
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	return n
}

func (n *nginx) write(name, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// read returns a file of nginx's; empty if there is none.
func (n *nginx) read(name string) string {
	b, err := os.ReadFile(filepath.Join(n.dir, name))
	if err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	return string(b)
}

// writeCertificate writes a certificate for api.example.com that signs itself.
func (n *nginx) writeCertificate() {
	n.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		n.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"api.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		n.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		n.t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	n.write("fullchain.pem", string(cert))
	n.write("privkey.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	n.roots = x509.NewCertPool()
	n.roots.AppendCertsFromPEM(cert)
}

// open connects by TLS from an address of loopback, and verifies the certificate.
func (n *nginx) open(from string, version uint16) (net.Conn, error) {
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: wstest.Patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}},
		Config:    &tls.Config{RootCAs: n.roots, ServerName: "api.example.com", MinVersion: tls.VersionTLS10, MaxVersion: version},
	}
	return d.DialContext(n.t.Context(), "tcp", n.addr)
}

// dial connects by wss.
func (n *nginx) dial(from, query string, header ...string) *wstest.Client {
	n.t.Helper()
	nc, err := n.open(from, tls.VersionTLS13)
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := wstest.Over(n.t, nc, "ws://api.example.com/ws"+query, header...)
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fronted starts Redis, roomgate with trust in nginx, an API, and nginx in front of both.
func fronted(t testing.TB, settings ...string) (*nginx, *replica, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), append([]string{"ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1",
		"ROOMGATE_HTTP_ALLOWED_ORIGINS=https://app.example.com"}, settings...)...)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "the API has %s", r.URL.Path) }))
	t.Cleanup(api.Close)
	return startNginx(t, strings.TrimPrefix(r.front, "http://"), strings.TrimPrefix(api.URL, "http://")), r, redis
}

// The connection is idle for twice as long as nginx's proxy_read_timeout.
func TestNginxExampleCarriesWSSAndPingsKeepItOpen(t *testing.T) {
	n, r, redis := fronted(t, "ROOMGATE_HTTP_PING_INTERVAL=1s", "ROOMGATE_HTTP_PONG_TIMEOUT=900ms")
	c := n.dial("127.0.0.7", "", "Sec-WebSocket-Protocol: "+v1+", bearer."+newToken(t, "u1", "42"),
		"Origin: https://app.example.com", "X-Forwarded-For: 9.9.9.9", "Forwarded: for=9.9.9.9")
	c.WantType("hello")
	began := time.Now()
	for time.Since(began) < 4*time.Second {
		f, err := c.Read()
		if err != nil || f.Op != wstest.Ping {
			t.Fatalf("after %v: got %v %v, want a ping", time.Since(began), f, err)
		}
		c.Send(wstest.Pong, f.Payload)
	}
	redis.Client().Publish(t.Context(), "room:42", `{"text":"hi"}`)
	c.WantText(`{"type":"message","room":"42","data":{"text":"hi"}}`)
	c.Drop()
	await(t, "the line of its end", func() bool { return strings.Contains(r.stderr.String(), `"event":"connection_closed"`) })
	wantIn(t, r.stderr.String(), `"sub":"u1","addr":"127.0.0.7"`)
	if strings.Contains(r.stderr.String(), "9.9.9.9") {
		t.Error("what the client itself wrote into X-Forwarded-For or Forwarded is in the log")
	}
}

// The proof that the timeout above is at work.
func TestNginxDropsAConnectionThatIsNotPinged(t *testing.T) {
	n, _, _ := fronted(t)
	c := n.dial("127.0.0.7", "", "Sec-WebSocket-Protocol: "+v1+", bearer."+newToken(t, "u1", "42"))
	c.WantType("hello")
	began := time.Now()
	c.WantGone()
	if took := time.Since(began); took < time.Second || took > 10*time.Second {
		t.Errorf("dropped after %v, want 2 s", took)
	}
}

func TestNginxExampleLogsNoToken(t *testing.T) {
	n, r, _ := fronted(t)
	token := newToken(t, "u1", "42")
	c := n.dial("127.0.0.7", "?room=42&token="+token)
	c.Send(wstest.Ping, nil)
	if f, err := c.Read(); err != nil || f.Op != wstest.Pong {
		t.Fatalf("got %v %v, want a pong", f, err)
	}
	c.Drop()
	r.signals <- syscall.SIGTERM
	r.wait()
	if down := n.dial("127.0.0.7", "?token="+token); down.Response.StatusCode != http.StatusBadGateway {
		t.Errorf("without roomgate nginx answered %s, want 502", down.Response.Status)
	}
	await(t, "two lines of access", func() bool { return strings.Count(n.read("roomgate.access.log"), "\n") == 2 })
	wantIn(t, n.read("roomgate.access.log"), `127.0.0.7 [`, `"GET /ws" 101 `, `"GET /ws" 502 `)
	for _, log := range []string{"roomgate.access.log", "roomgate.error.log", "error.log"} {
		if said := n.read(log); strings.Contains(said, token[:20]) || strings.Contains(said, "token=") {
			t.Errorf("%s has the token:\n%s", log, said)
		}
	}
}

func TestNginxExampleServesTheAPIAndOldTLSToNobody(t *testing.T) {
	n, _, _ := fronted(t)
	nc, err := n.open("127.0.0.7", tls.VersionTLS12)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, "GET /users HTTP/1.0\r\nHost: api.example.com\r\n\r\n") // if it fails, so does reading
	body, err := io.ReadAll(nc)
	if err != nil || !strings.Contains(string(body), "the API has /users") {
		t.Errorf("got %s %v, want the API's answer", body, err)
	}
	if nc, err := n.open("127.0.0.7", tls.VersionTLS11); err == nil {
		nc.Close()
		t.Error("TLS 1.1 is spoken")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get("http://" + n.plain + "/users")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	client.CloseIdleConnections()
	if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusMovedPermanently || to != "https://127.0.0.1/users" {
		t.Errorf("plain HTTP is answered with %s to %q, want 301 to https", answer.Status, to)
	}
}
