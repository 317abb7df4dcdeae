package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// shortTimeout is what the tests put in the place of a proxy's timeout.
const shortTimeout = 2 * time.Second

// A proxy is a product, and how its example in docs/examples is run.
type proxy struct {
	name        string
	install     string // the package: in Debian, and of Homebrew
	example     string
	timesOut    bool // a WebSocket that is idle
	unreachable int  // how it answers when roomgate is away

	// replace are the names, paths, ports and timeouts of the example, and those of the test.
	replace func(e *edge) map[string]string
	// around makes a whole configuration of the example.
	around func(e *edge, example string) string
	args   func(e *edge, file string) []string
	// access is its log line of a request.
	access func(from, path string, status int) *regexp.Regexp
}

var proxies = []proxy{
	{
		name: "nginx", install: "nginx-light / nginx", example: "nginx.conf", timesOut: true, unreachable: http.StatusBadGateway,
		replace: func(e *edge) map[string]string {
			return map[string]string{
				"listen 80;": "listen " + e.plain + ";", "listen 443 ssl;": "listen " + e.addr + " ssl;",
				"127.0.0.1:8080;": e.roomgate + ";", "127.0.0.1:3000;": e.api + ";",
				"/etc/nginx/tls/": e.dir + "/", "/var/log/nginx/": e.dir + "/", "proxy_read_timeout 60s;": "proxy_read_timeout 2s;",
			}
		},
		around: func(e *edge, example string) string {
			main := "worker_processes 1;\npid " + e.dir + "/pid;\nerror_log " + e.dir + "/error.log;\nevents {}\nhttp {\n"
			if os.Getuid() == 0 {
				main = "user root;\n" + main // its directory is the test's only
			}
			for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				main += kind + "_temp_path " + e.dir + "/" + kind + ";\n"
			}
			return main + "access_log off;\n" + example + "}\n"
		},
		args: func(e *edge, file string) []string {
			return []string{"-p", e.dir, "-c", file, "-e", e.dir + "/error.log", "-g", "daemon off;"}
		},
		access: func(from, path string, status int) *regexp.Regexp {
			return regexp.MustCompile(fmt.Sprintf(`(?m)^%s \[.*"GET %s" %d `, from, path, status))
		},
	},
	{
		name: "haproxy", install: "haproxy", example: "haproxy.cfg", timesOut: true, unreachable: http.StatusServiceUnavailable,
		replace: func(e *edge) map[string]string {
			return map[string]string{
				"bind :80\n": "bind " + e.plain + "\n", "bind :443 ": "bind " + e.addr + " ",
				"127.0.0.1:8080\n": e.roomgate + "\n", "127.0.0.1:3000\n": e.api + "\n",
				"/etc/haproxy/certs/": e.dir + "/certs/", "log /dev/log local0": "log stdout format raw local0",
				"timeout connect 5s": "timeout connect 100ms", "timeout client 60s": "timeout client 2s", "timeout server 60s": "timeout server 2s", "timeout tunnel 60s": "timeout tunnel 2s",
			}
		},
		around: func(_ *edge, example string) string { return example },
		args:   func(_ *edge, file string) []string { return []string{"-db", "-f", file} },
		access: func(from, path string, status int) *regexp.Regexp {
			return regexp.MustCompile(fmt.Sprintf(`(?m)^%s \[.*"GET %s" %d `, from, path, status))
		},
	},
	{
		name: "caddy", install: "caddy", example: "Caddyfile", unreachable: http.StatusBadGateway,
		replace: func(e *edge) map[string]string {
			_, port, _ := strings.Cut(e.addr, ":")
			_, plain, _ := strings.Cut(e.plain, ":")
			replace := map[string]string{
				"\n{\n": "\n{\n\tadmin off\n\tdefault_bind 127.0.0.1\n\thttp_port " + plain + "\n\thttps_port " + port + "\n",
				"api.example.com {\n": "api.example.com {\n" + // with a certificate of the test's
					"\ttls " + e.dir + "/fullchain.pem " + e.dir + "/privkey.pem\n",
				"127.0.0.1:8080 {": e.roomgate + " {", "127.0.0.1:3000\n": e.api + "\n",
			}
			if strings.HasPrefix(strings.TrimPrefix(e.version(), "v"), "2.6.") { // Debian's, which does not know it
				replace["\t\tstream_close_delay "] = "\t\t# stream_close_delay "
			}
			return replace
		},
		around: func(_ *edge, example string) string { return example },
		args: func(_ *edge, file string) []string {
			return []string{"run", "--adapter", "caddyfile", "--config", file}
		},
		access: func(from, path string, status int) *regexp.Regexp {
			said := fmt.Sprint(status)
			if status == http.StatusSwitchingProtocols {
				said = "(0|101)" // of Caddy 2.6, and of later ones
			}
			return regexp.MustCompile(fmt.Sprintf(`"http.log.access".*"remote_ip":"%s".*"uri":"%s(\?room=42)?".*"status":%s[,}]`, from, path, said))
		},
	},
}

// eachProxy runs a test with each.
func eachProxy(t *testing.T, test func(t *testing.T, of proxy)) {
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) { t.Parallel(); test(t, p) })
	}
}

// find returns the path of its binary.
func (p proxy) find(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath(p.name)
	if err == nil {
		return path
	}
	path = "/usr/sbin/" + p.name // which is not in the path of everybody who can run it
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("install %s: apt-get install / brew install %s", p.name, p.install)
	}
	return path
}

// configuration is the example with what the test replaces.
func (p proxy) configuration(e *edge) string {
	e.t.Helper()
	b, err := os.ReadFile(filepath.Join("../../docs/examples", p.example))
	if err != nil {
		e.t.Fatal(err)
	}
	example := string(b)
	for old, replacement := range p.replace(e) {
		if !strings.Contains(example, old) {
			e.t.Fatalf("docs/examples/%s has no %q any more: change this test, too", p.example, old)
		}
		example = strings.ReplaceAll(example, old, replacement)
	}
	return p.around(e, example)
}
