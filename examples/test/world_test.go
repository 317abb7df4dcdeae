package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

const (
	secret   = "a secret of the tests of the examples, long enough for HS256"
	patience = 30 * time.Second // for a process to start, on a machine that is busy
	stopTime = 10 * time.Second // for one to end
)

// scratch is a directory for what is built.
var scratch string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is in the system's directory for that
	scratch = dir
	secrecy.Secret(secret)
	return secrecy.Suite{M: m, Want: []secrecy.Kind{secrecy.Logs, secrecy.Errors}}.Run()
}

// gatewayBinary and apiBinary build, once for all tests, roomgate as it is shipped and the API in Go.
var (
	gatewayBinary = sync.OnceValues(func() (string, error) { return build("roomgate", "../..", "./cmd/roomgate") })
	apiBinary     = sync.OnceValues(func() (string, error) { return build("api", "../go", ".") })
)

func build(name, dir, what string) (path string, err error) {
	path = filepath.Join(scratch, name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, what)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", what, err, out)
	}
	return path, nil
}

// A process is a child of the tests.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it was waited for
}

// start starts a command in dir, with env and nothing else. The test's end ends it, and on Linux that of the tests' process, however
// that comes about.
func start(t *testing.T, dir string, env []string, args ...string) (p process, log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "log")
	secrecy.File(t, log)
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the process has its own
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + scratch, "PYTHONDONTWRITEBYTECODE=1"}, env...), out, out
	endWithTests(cmd)
	ended, started := make(chan struct{}), make(chan error)
	go func() { // ends with the process
		defer close(ended)
		runtime.LockOSThread() // whose end would be taken for that of the tests
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is ended by a signal
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %v: %v", args, err)
	}
	p = process{cmd, ended}
	t.Cleanup(func() {
		if !p.stop() {
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%v said:\n%s", args, read(t, log))
		}
	})
	return p, log
}

// stop asks it to end, and tells whether it has.
func (p process) stop() bool {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-p.ended:
		return true
	case <-time.After(stopTime):
		return false
	}
}

// A gateway is a roomgate that runs.
type gateway struct{ url, admin string }

// startGateway starts roomgate with settings of an example, NAME=value, of which those in others are replaced.
func startGateway(t *testing.T, settings []string, others ...string) gateway {
	t.Helper()
	path, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	_, log := start(t, ".", replaced(settings, append(others, "ROOMGATE_HTTP_ADDR=127.0.0.1:0", "ROOMGATE_ADMIN_ADDR=127.0.0.1:0")...), path)
	var line struct{ Msg, Addr, Admin string }
	await(t, "roomgate serves", func() bool {
		for l := range strings.Lines(read(t, log)) {
			if json.Unmarshal([]byte(l), &line) == nil && line.Msg == "serving" {
				return true
			}
		}
		return false
	})
	g := gateway{"http://" + line.Addr, "http://" + line.Admin}
	await(t, "roomgate is ready", func() bool { status, _ := get(t, g.admin+"/readyz"); return status == http.StatusOK })
	return g
}

// replaced are the settings with those of others in the place of those of the same name.
func replaced(settings []string, others ...string) []string {
	name := func(s string) string { n, _, _ := strings.Cut(s, "="); return n }
	kept := slices.DeleteFunc(slices.Clone(settings), func(s string) bool {
		return slices.ContainsFunc(others, func(o string) bool { return name(o) == name(s) })
	})
	return append(kept, others...)
}

// get returns status 0 if there is no answer.
func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	return do(t, http.MethodGet, url, "", nil)
}

// do makes one request, with a form if there is one and a token if it is not empty.
func do(t *testing.T, method, url, token string, form io.Reader) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, form)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true // an idle connection would be a goroutine that outlives the test
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer.StatusCode, string(b)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// await waits for a condition, which is looked at all 10 ms.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
