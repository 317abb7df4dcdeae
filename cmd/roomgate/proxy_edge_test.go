package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

// An edge is a real proxy with its example in docs/examples, in which only names, paths, ports
// and timeouts are others.
type edge struct {
	t             testing.TB
	dir           string
	binary        string
	roomgate, api string // host:port of what it is in front of
	plain, addr   string // host:port of its own, without and with TLS
	roots         *x509.CertPool
	output        output // what it wrote to stdout and stderr
}

// startProxy starts a proxy in front of roomgate and an API, each host:port. The test's end ends it.
func startProxy(t testing.TB, of proxy, roomgate, api string) *edge {
	t.Helper()
	e := &edge{t: t, dir: t.TempDir(), binary: of.find(t), roomgate: roomgate, api: api, plain: freeAddr(t), addr: freeAddr(t)}
	e.writeCertificate()
	file := e.write(of.example, of.configuration(e))
	for _, log := range []string{"roomgate.access.log", "roomgate.error.log", "error.log"} { // those of nginx
		secrecy.File(t, filepath.Join(e.dir, log))
	}
	e.output.looked = secrecy.Writer(t)

	cmd := exec.Command(e.binary, of.args(e, file)...)
	cmd.Dir, cmd.Env = e.dir, []string{"HOME=" + e.dir}
	cmd.Stdout, cmd.Stderr = &e.output, &e.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // takes its workers with it
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", of.name, e.said())
		}
	})
	for _, addr := range []string{e.plain, e.addr} {
		await(t, of.name, func() bool {
			nc, err := net.Dial("tcp", addr)
			if err == nil {
				nc.Close()
			}
			return err == nil
		})
	}
	return e
}

// version is what the proxy says of it.
func (e *edge) version() string {
	e.t.Helper()
	said, err := exec.Command(e.binary, "version").CombinedOutput()
	if err != nil {
		e.t.Fatalf("%s version: %v\n%s", e.binary, err, said)
	}
	return string(said)
}

// write writes a file to the proxy's directory.
func (e *edge) write(name, text string) (path string) {
	e.t.Helper()
	path = filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
	return path
}

// said is all that it has logged and written, to files too.
func (e *edge) said() string {
	all := e.output.String()
	logs, err := filepath.Glob(filepath.Join(e.dir, "*.log"))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, log := range logs {
		b, err := os.ReadFile(log)
		if err != nil {
			e.t.Fatal(err)
		}
		all += string(b)
	}
	return all
}

// writeCertificate writes a certificate for api.example.com that signs itself.
func (e *edge) writeCertificate() {
	e.t.Helper()
	cert, key, roots := wstest.Certificate(e.t, "api.example.com")
	e.write("fullchain.pem", string(cert))
	e.write("privkey.pem", string(key))
	e.write("certs/both.pem", string(cert)+string(key))
	e.roots = roots
}

// open connects by TLS from an address of loopback, and verifies the certificate.
func (e *edge) open(from string, version uint16) (net.Conn, error) {
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: wstest.Patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}},
		Config:    &tls.Config{RootCAs: e.roots, ServerName: "api.example.com", MinVersion: tls.VersionTLS10, MaxVersion: version},
	}
	return d.DialContext(e.t.Context(), "tcp", e.addr)
}

// dial connects by wss.
func (e *edge) dial(from, query string, header ...string) *wstest.Client {
	e.t.Helper()
	nc, err := e.open(from, tls.VersionTLS13)
	if err != nil {
		e.t.Fatal(err)
	}
	c, err := wstest.Over(e.t, nc, "ws://api.example.com/ws"+query, header...)
	if err != nil {
		e.t.Fatal(err)
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
