//go:build linux

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

const (
	secret      = "a secret of the chaos suite, sixty-four bytes long, more or less...."
	startTime   = 20 * time.Second // until a replica is ready
	stopTime    = 60 * time.Second // until a replica that drains has ended
	requestTime = 15 * time.Second // for one request to the admin listener: /debug/check may take 10 s
)

// build builds roomgate as it is shipped, once for all tests. TestMain removes it.
var build = sync.OnceValues(func() (path string, err error) {
	path = filepath.Join(scratch, "roomgate")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/roomgate")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building roomgate: %w\n%s", err, out)
	}
	return path, nil
})

// A replica is one roomgate, in a process of its own.
type replica struct {
	*process
	t     testing.TB
	name  string
	log   string // path of what it wrote
	addr  string // host:port
	admin string // http://host:port
}

// A spawn says how a replica is started.
type spawn struct {
	name  string
	env   []string // settings, NAME=value
	files int      // limit of open files; 0: that of the test
	host  string   // address to listen on; empty: 127.0.0.1
	net   *netns   // nil: where the test is
}

// start starts a replica and waits until it is ready.
func start(t testing.TB, s spawn) *replica {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{t: t, name: s.name, log: filepath.Join(t.TempDir(), "log")}
	secrecy.File(t, r.log)
	log, err := os.Create(r.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	args := []string{path}
	if s.files > 0 {
		args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, s.files)}, args...)
	}
	if s.net != nil {
		args = append(s.net.enter(), args...)
	}
	host := "127.0.0.1"
	if s.host != "" {
		host = s.host
	}
	r.process = startProcess(t, slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "JWT_SECRET=" + secret, "ROOMGATE_LOG_LEVEL=debug",
		"ROOMGATE_HTTP_ADDR=" + host + ":0", "ROOMGATE_ADMIN_ADDR=" + host + ":0"}, s.env), log, 0, args...)
	t.Cleanup(r.finish)
	r.awaitServing()
	await(t, startTime, s.name+" is ready", func() bool { status, _ := r.get("/readyz"); return status == http.StatusOK })
	return r
}

// awaitServing waits for the line that tells where it listens.
func (r *replica) awaitServing() {
	r.t.Helper()
	var line struct{ Msg, Addr, Admin string }
	await(r.t, startTime, r.name+" serves", func() bool {
		for l := range strings.Lines(r.said()) {
			if json.Unmarshal([]byte(l), &line) == nil && line.Msg == "serving" {
				return true
			}
		}
		return !r.lives()
	})
	if !r.lives() {
		r.t.Fatalf("%s ended at its start:\n%s", r.name, r.said())
	}
	r.addr, r.admin = line.Addr, "http://"+line.Admin
}

// finish looks at the metrics, ends the process and shows its log's end if the test failed.
func (r *replica) finish() {
	if r.lives() {
		if status, page := r.get("/metrics"); status == http.StatusOK {
			secrecy.Page(r.t, page)
		}
	}
	r.kill()
	if r.t.Failed() {
		said := r.said()
		r.t.Logf("the log of %s ends with\n%s", r.name, said[max(0, len(said)-3000):])
	}
}

// terminate sends SIGTERM, as an orchestrator does, and expects exit code 0: nobody was cut off.
func (r *replica) terminate() {
	r.t.Helper()
	r.drain()
	r.awaitDrained()
}

// drain sends SIGTERM.
func (r *replica) drain() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Errorf("terminating %s: %v", r.name, err)
	}
}

// awaitDrained expects it to end by itself after drain.
func (r *replica) awaitDrained() {
	r.t.Helper()
	select {
	case <-r.ended:
		if code := r.cmd.ProcessState.ExitCode(); code != 0 {
			r.t.Errorf("%s exited with %d, want 0", r.name, code)
		}
	case <-time.After(stopTime):
		r.t.Errorf("%s did not end within %v of SIGTERM", r.name, stopTime)
		r.kill()
	}
}

// said returns its log.
func (r *replica) said() string {
	b, err := os.ReadFile(r.log)
	if err != nil {
		r.t.Error(err)
	}
	return string(b)
}

// get asks the admin listener; status 0 means that it did not answer.
func (r *replica) get(path string) (status int, body string) { return r.getWithin(requestTime, path) }

func (r *replica) getWithin(limit time.Duration, path string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.admin+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	req.Close = true // an idle connection would be a goroutine that outlives the test
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(b)
}

// wantSound expects the invariants to hold, and no panic in the log.
func (r *replica) wantSound() {
	r.t.Helper()
	if status, body := r.get("/debug/check"); status != http.StatusOK {
		r.t.Errorf("/debug/check of %s is %d: %s", r.name, status, body)
	}
	if said := r.said(); strings.Contains(said, "panic") {
		r.t.Errorf("%s panicked:\n%s", r.name, said[max(0, strings.Index(said, "panic")-200):])
	}
}

// await waits for a condition, which is looked at all 5 ms.
func await(t testing.TB, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
