package chart

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

// A gateway is the program as it is shipped, with the settings and the variables that a pod has, but for its ports.
type gateway struct {
	env   []string
	admin string // URL
}

// TestARealGateway is one test, since all of it looks at the same gateway.
func TestARealGateway(t *testing.T) {
	redis := redistest.Start(t)
	r := mustRender(t, usual(t, fmt.Sprintf("config: {redis: {url: %q}}", redis.URL()), axes["watch"]["operator"]))
	g := startGateway(t, r)
	m := g.metrics(t)

	t.Run("is of the chart's appVersion", func(t *testing.T) {
		c, err := load()
		if err != nil {
			t.Fatal(err)
		}
		if !m.has("roomgate_build_info", "version", c.AppVersion()) {
			t.Errorf("roomgate_build_info has the versions %v, want %s", sorted(m["roomgate_build_info"]["version"]), c.AppVersion())
		}
		if got, want := gatewayOf(t, r).Spec.Template.Spec.Containers[0].Image, "ghcr.io/roomgate/roomgate:"+c.Metadata.Version; got != want || "v"+c.Metadata.Version != c.AppVersion() {
			t.Errorf("the image is %s, want %s, and the program's version %s with a v before it", got, want, c.AppVersion())
		}
	})
	t.Run("does what the notes say", func(t *testing.T) { g.firstPublish(t, r.notes) })
	t.Run("has each metric and label of an alert", func(t *testing.T) { checkAlertNames(t, r, m) })
	t.Run("has each metric and label of the dashboard", func(t *testing.T) { checkDashboardNames(t, r, m) })
	t.Run("alerts", func(t *testing.T) { checkAlertsFire(t, r, g.samples(t)) })
}

func startGateway(t *testing.T, r rendering) *gateway {
	t.Helper()
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-ldflags", "-X main.version="+c.AppVersion(), "-o", filepath.Join(dir, "roomgate"), "github.com/roomgate/roomgate/cmd/roomgate")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := gatewayOf(t, r)
	addr, admin := "127.0.0.1:"+redistest.FreePort(t), "127.0.0.1:"+redistest.FreePort(t)
	g := &gateway{admin: "http://" + admin, env: append(variables(d),
		"PATH="+dir+string(filepath.ListSeparator)+os.Getenv("PATH"), "ROOMGATE_CONFIG="+installed(t, r, d),
		"ROOMGATE_HTTP_ADDR="+addr, "ROOMGATE_ADMIN_ADDR="+admin)}

	logged, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "roomgate"))
	cmd.Env, cmd.Stderr = g.env, logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has no clients to drain
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(logged.Name())
			t.Logf("the gateway's log:\n%s", text)
		}
		logged.Close()
	})
	await(t, "ready", func() error {
		_, err := g.get("/readyz")
		return err
	})
	return g
}

// await asks until there is no error, for half a minute.
func await(t *testing.T, what string, ask func() error) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := ask()
		if err == nil {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("not %s after 30 s: %v", what, err)
		}
	}
}

func (g *gateway) get(path string) (string, error) {
	response, err := http.Get(g.admin + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// noted are the commands that the notes run in a pod.
var noted = regexp.MustCompile(`(?m)exec deploy/\S+ -- /(roomgate (\w+).*)$`)

// firstPublish does, one after another, what NOTES.txt tells who has installed the chart.
func (g *gateway) firstPublish(t *testing.T, notes string) {
	commands := map[string]string{}
	for _, m := range noted.FindAllStringSubmatch(notes, -1) {
		commands[m[2]] = m[1]
	}
	for _, verb := range []string{"check", "tail", "publish"} {
		if commands[verb] == "" {
			t.Fatalf("the notes run no roomgate %s:\n%s", verb, notes)
		}
	}
	if out, err := g.shell(commands["check"]).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", commands["check"], err, out)
	}

	tail := g.shell(commands["tail"] + " --count 1") // by itself it ends with its terminal
	tail.Stderr = os.Stderr
	frames, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = tail.Process.Kill() })
	defer timer.Stop()
	lines, got := bufio.NewScanner(frames), []string{}
	for lines.Scan() {
		got = append(got, lines.Text())
		if strings.Contains(lines.Text(), `"type":"hello"`) {
			if out, err := g.shell(commands["publish"]).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", commands["publish"], err, out)
			}
		}
	}
	if err := tail.Wait(); err != nil {
		t.Errorf("%s: %v", commands["tail"], err)
	}
	const want = `{"type":"message","room":"42","data":{"text":"hi"}}`
	if len(got) == 0 || got[len(got)-1] != want {
		t.Errorf("tail printed %q, want %s at last", got, want)
	}
}

// shell is a command line as kubectl would run it in the pod, where the program is in the root; here it is in the PATH.
func (g *gateway) shell(line string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", "exec "+line)
	cmd.Env = g.env
	return cmd
}
