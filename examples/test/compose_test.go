package test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

const composeFile = "../compose/compose.yaml"

// loadCompose reads the file as Docker Compose does: by its schema, with variables from env.
func loadCompose(t *testing.T, env types.Mapping) (*types.Project, error) {
	t.Helper()
	dir, err := filepath.Abs(filepath.Dir(composeFile))
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: dir, Environment: env,
		ConfigFiles: types.ToConfigFiles([]string{filepath.Join(dir, filepath.Base(composeFile))})})
}

func TestComposeFileWantsASecret(t *testing.T) {
	if _, err := loadCompose(t, nil); err == nil || !strings.Contains(err.Error(), "JWT_SECRET") {
		t.Errorf("without JWT_SECRET loading it gives %v, want an error that names it", err)
	}
}

// The file's settings, its nginx and its API, at work as the processes that the containers would be.
func TestComposeFileWorks(t *testing.T) {
	t.Parallel()
	p, err := loadCompose(t, types.Mapping{"JWT_SECRET": secret})
	if err != nil {
		t.Fatalf("%s: %v", composeFile, err)
	}
	settings := environment(t, p, "roomgate")
	loaded, err := config.Load(config.Source{Environ: settings})
	if err != nil {
		t.Fatalf("roomgate refuses its settings: %v", err)
	}
	if grace := *p.Services["roomgate"].StopGracePeriod; grace < types.Duration(loaded.Drain.Delay+loaded.Drain.Period+drainEnd) {
		t.Errorf("stop_grace_period is %v, and a drain takes %v, %v and %v", grace, loaded.Drain.Delay, loaded.Drain.Period, drainEnd)
	}
	own := p.Services["nginx"].Networks["default"]
	if own == nil || fmt.Sprint(loaded.HTTP.TrustedProxies) != "["+own.Ipv4Address+"/32]" {
		t.Fatalf("roomgate trusts %v, want nginx alone, which is at %v", loaded.HTTP.TrustedProxies, own)
	}
	if subnet := netip.MustParsePrefix(p.Networks["default"].Ipam.Config[0].Subnet); !subnet.Contains(netip.MustParseAddr(own.Ipv4Address)) {
		t.Errorf("nginx is at %s, which is not in %v", own.Ipv4Address, subnet)
	}

	redis := redistest.Start(t)
	_, api := apis[0].start(t, replaced(environment(t, p, "api"), "REDIS_URL="+redis.URL(), "HOST=127.0.0.1")...)
	g := startGateway(t, settings, "REDIS_URL="+redis.URL(), "ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1")
	visit(t, startNginx(t, p, strings.TrimPrefix(g.url, "http://"), api))
}

// environment is that of a service, NAME=value. Redis is where it says.
func environment(t *testing.T, p *types.Project, service string) (env []string) {
	t.Helper()
	for name, value := range p.Services[service].Environment {
		if value == nil {
			t.Fatalf("%s of %s has no value", name, service)
		}
		env = append(env, name+"="+*value)
	}
	if _, ok := p.Services["redis"]; !ok || !slices.Contains(env, "REDIS_URL=redis://redis:6379") {
		t.Fatalf("REDIS_URL of %s is not redis://redis:6379, or there is no such service: there are %v", service, p.ServiceNames())
	}
	return env
}

// startNginx starts the real one with the configuration that its service mounts, in front of roomgate and an API, and
// returns its URL. The names that it goes to have to be those of services.
func startNginx(t *testing.T, p *types.Project, gateway, api string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // which is not in the path of everybody who can run it
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("install nginx: apt-get install nginx-light / brew install nginx")
	}
	text := read(t, p.Services["nginx"].Volumes[0].Source)
	if got := regexp.MustCompile(`\S+ http://.*`).FindAllString(text, -1); !slices.Equal(got, []string{"$roomgate http://roomgate:8080;", "$api http://api:3000;"}) {
		t.Fatalf("nginx goes to %v, want to the services roomgate and api, by variables: else a name is looked up at the start only", got)
	}
	if mapped := p.Services["nginx"].Ports[0]; mapped.Target != 80 || mapped.HostIP != "127.0.0.1" {
		t.Errorf("port %d of nginx is open on %q, want 80 on 127.0.0.1", mapped.Target, mapped.HostIP)
	}
	dir, addr := t.TempDir(), "127.0.0.1:"+redistest.FreePort(t)
	for old, replacement := range map[string]string{"listen 80;": "listen " + addr + ";", "http://roomgate:8080": "http://" + gateway,
		"http://api:3000": "http://" + api, "/var/log/nginx/": dir + "/"} {
		if !strings.Contains(text, old) {
			t.Fatalf("its configuration has no %q any more: change this test, too", old)
		}
		text = strings.ReplaceAll(text, old, replacement)
	}
	main := "worker_processes 1;\npid " + dir + "/pid;\nevents {}\nhttp {\n"
	if os.Getuid() == 0 {
		main = "user root;\n" + main // its directory is the test's only
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(main+text+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{"access.log", "error.log"} {
		secrecy.File(t, filepath.Join(dir, log))
	}
	start(t, dir, nil, path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"), "-g", "daemon off;")
	await(t, "nginx", func() bool { status, _ := get(t, "http://"+addr+"/"); return status != 0 })
	return "http://" + addr
}

// What the image of the API is made of is there.
func TestDockerfileCopiesWhatThereIs(t *testing.T) {
	p, err := loadCompose(t, types.Mapping{"JWT_SECRET": secret})
	if err != nil {
		t.Fatal(err)
	}
	b := p.Services["api"].Build
	copied := regexp.MustCompile(`(?m)^COPY (\S+) `).FindAllStringSubmatch(read(t, filepath.Join(b.Context, b.Dockerfile)), -1)
	if len(copied) == 0 {
		t.Fatalf("%s copies nothing", b.Dockerfile)
	}
	for _, c := range copied {
		if _, err := os.Stat(filepath.Join(b.Context, c[1])); err != nil {
			t.Error(err)
		}
	}
}
