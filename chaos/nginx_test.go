//go:build linux

package chaos

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

const (
	nginxExample = "../docs/examples/nginx.conf"
	nginxWorkers = 2
	// A connection is two of a worker's, and clients may all be with one of them.
	nginxConnections = 16384
)

// An nginx is the real one, with the configuration of docs/examples, in which only names, paths and
// ports are others, and the replicas are several. A change of them is written to its file and it is told to reload, as
// controllers do that run it: the workers that there were go on with their connections. Its
// methods are the test's own goroutine's.
type nginx struct {
	*process
	t       testing.TB
	dir     string
	port    string
	plain   string // the port without TLS
	config  *tls.Config
	servers []string // host:port of the replicas in the round
	loads   int      // of its configuration
}

func startNginx(t testing.TB) *nginx {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // which is not in the path of everybody who can run it
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("install nginx: apt-get install nginx-light")
	}
	n := &nginx{t: t, dir: t.TempDir(), port: redistest.FreePort(t), plain: redistest.FreePort(t)}
	n.writeCertificate()
	for _, log := range []string{"roomgate.access.log", "roomgate.error.log", "error.log"} {
		secrecy.File(t, filepath.Join(n.dir, log))
	}
	n.configure()
	output, err := os.Create(filepath.Join(n.dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close() // the process has its own
	n.process = startProcessEndedBy(t, syscall.SIGTERM, []string{"HOME=" + n.dir}, output, 0, path, "-p", n.dir, "-c", filepath.Join(n.dir, "nginx.conf"),
		"-e", filepath.Join(n.dir, "error.log"), "-g", "daemon off;")
	t.Cleanup(n.finish)
	n.awaitLoaded()
	return n
}

// finish ends it with its workers, which the end of the process that started them does not end.
func (n *nginx) finish() {
	if n.t.Failed() {
		said := n.said()
		n.t.Logf("the log of nginx ends with\n%s", said[max(0, len(said)-2000):])
	}
	_ = n.cmd.Process.Signal(os.Interrupt) // a fast shutdown; it may be gone already
	select {
	case <-n.ended:
	case <-time.After(stopTime):
		n.t.Errorf("nginx did not end within %v", stopTime)
	}
}

func (n *nginx) addr() string { return "127.0.0.1:" + n.port }

func (n *nginx) secure() *tls.Config { return n.config }

func (n *nginx) add(r *replica) {
	n.t.Helper()
	n.servers = append(n.servers, r.addr)
	n.reload()
}

func (n *nginx) remove(r *replica) {
	n.t.Helper()
	n.servers = slices.DeleteFunc(n.servers, func(addr string) bool { return addr == r.addr })
	n.reload()
}

func (n *nginx) reload() {
	n.t.Helper()
	n.configure()
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		n.t.Fatalf("reloading nginx: %v", err)
	}
	n.awaitLoaded()
}

// awaitLoaded waits until workers have the configuration that was written last.
func (n *nginx) awaitLoaded() {
	n.t.Helper()
	n.loads++
	await(n.t, startTime, "nginx has loaded its configuration", func() bool {
		return !n.lives() || strings.Count(n.said(), "start worker process ") >= n.loads*nginxWorkers
	})
	if !n.lives() {
		n.t.Fatalf("nginx ended at its start:\n%s", n.said())
	}
}

// configure writes its configuration.
func (n *nginx) configure() {
	n.t.Helper()
	b, err := os.ReadFile(nginxExample)
	if err != nil {
		n.t.Fatal(err)
	}
	servers := "server 127.0.0.1:1;" // where nobody listens
	if len(n.servers) > 0 {
		servers = "server " + strings.Join(n.servers, ";\n    server ") + ";"
	}
	example := string(b)
	for old, replacement := range map[string]string{
		"listen 80;": "listen 127.0.0.1:" + n.plain + ";", "listen 443 ssl;": "listen " + n.addr() + " ssl;",
		"server 127.0.0.1:8080;": servers, "/etc/nginx/tls/": n.dir + "/", "/var/log/nginx/": n.dir + "/",
	} {
		if !strings.Contains(example, old) {
			n.t.Fatalf("%s has no %q any more: change this test, too", nginxExample, old)
		}
		example = strings.ReplaceAll(example, old, replacement)
	}
	main := fmt.Sprintf("worker_processes %d;\nworker_rlimit_nofile %d;\npid %s/pid;\nerror_log %s/error.log notice;\nevents { worker_connections %d; }\nhttp {\naccess_log off;\n",
		nginxWorkers, nginxConnections+1000, n.dir, n.dir, nginxConnections)
	if os.Getuid() == 0 {
		main = "user root;\n" + main // its directory is the test's only
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + n.dir + "/" + kind + ";\n"
	}
	n.write("nginx.conf", main+example+"}\n")
}

// said is its log.
func (n *nginx) said() string {
	var all string
	for _, name := range []string{"output", "error.log", "roomgate.error.log"} {
		if b, err := os.ReadFile(filepath.Join(n.dir, name)); err == nil { // one may not be there yet
			all += string(b)
		}
	}
	return all
}

// writeCertificate writes a certificate that signs itself, and has clients trust it.
func (n *nginx) writeCertificate() {
	n.t.Helper()
	const host = "api.example.com"
	cert, key, roots := wstest.Certificate(n.t, host)
	n.write("fullchain.pem", string(cert))
	n.write("privkey.pem", string(key))
	n.config = &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}
}

func (n *nginx) write(name, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}
