package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

func TestMain(m *testing.M) {
	secrecy.Secret(testSecret, relaySecret, rotatedSecret)
	suite := secrecy.Suite{M: m, Want: []secrecy.Kind{secrecy.Logs, secrecy.Pages, secrecy.Errors}}
	testscript.Main(suite, map[string]func(){"roomgate": func() {
		os.Exit(secrecy.Child("roomgate", printsToken(os.Args[1:]), run))
	}})
}

// printsToken reports whether a command line is there to print a token on stdout: what token is
// asked for, and what demo gives away for a try. Their stderr has none.
func printsToken(args []string) bool {
	return len(args) > 0 && (args[0] == "token" || args[0] == "demo")
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // with -race, each command would take a second to end
			e.Vars = append(e.Vars, secrecy.Environ()...)
			return nil
		},
	})
}

const testSecret = "a secret of tests, sixty-four bytes long, so that none warns....."

// A process is roomgate, run within the test.
type process struct {
	t       testing.TB
	signals chan os.Signal
	reloads chan os.Signal
	exit    chan int // gets the exit code

	stdout, stderr output
}

// start runs a command line with the variables in environ and nothing else. The test's end ends it.
func start(t testing.TB, environ []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, signals: make(chan os.Signal, 2), reloads: make(chan os.Signal, 1), exit: make(chan int, 1)}
	p.stderr.looked = secrecy.Writer(t)
	if !printsToken(args) {
		p.stdout.looked = secrecy.Writer(t)
	}
	secrets(environ)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		roomgate := &program{environ: environ, signals: p.signals, reloads: p.reloads}
		p.exit <- roomgate.execute(ctx, args, strings.NewReader(""), &p.stdout, &p.stderr)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// secrets registers what is secret in the variables of a process.
func secrets(environ []string) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if u, err := url.Parse(value); err == nil && u.User != nil {
			value, _ = u.User.Password()
		} else if !strings.HasSuffix(name, "_SECRET") && !strings.HasSuffix(name, "_PASSWORD") {
			continue
		}
		if len(value) >= secrecy.Shortest {
			secrecy.Secret(value)
		}
	}
}

// command is start for a command that ends by itself.
func command(t testing.TB, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := start(t, environ, args...)
	code = p.wait()
	return code, p.stdout.String(), p.stderr.String()
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case code := <-p.exit:
		return code
	case <-time.After(wstest.Patience):
		p.t.Fatal("it did not end")
		return -1
	}
}

// A replica is a process that serves.
type replica struct {
	*process
	url   string // ws://…/ws
	front string // http://…
	admin string // http://…
}

// serve starts a replica on free ports, and waits until it is ready.
func serve(t testing.TB, redisURL string, environ ...string) *replica {
	t.Helper()
	r := serveUnready(t, redisURL, environ...)
	await(t, "readiness", func() bool { status, _ := get(t, r.admin+"/readyz"); return status == http.StatusOK })
	return r
}

// serveUnready waits only until it listens.
func serveUnready(t testing.TB, redisURL string, environ ...string) *replica {
	t.Helper()
	r := &replica{process: start(t, append([]string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redisURL, "ROOMGATE_LOG_LEVEL=debug",
		"ROOMGATE_HTTP_ADDR=127.0.0.1:0", "ROOMGATE_ADMIN_ADDR=127.0.0.1:0", "ROOMGATE_DRAIN_DELAY=0", "ROOMGATE_DRAIN_PERIOD=0",
		"ROOMGATE_REDIS_CANARY_INTERVAL=50ms", "ROOMGATE_REDIS_CANARY_TIMEOUT=500ms"}, environ...))}
	var line struct{ Msg, Addr, Admin string }
	await(t, "the line that it serves", func() bool {
		for l := range strings.Lines(r.stderr.String()) {
			if json.Unmarshal([]byte(l), &line) == nil && line.Msg == "serving" {
				return true
			}
		}
		return false
	})
	r.front, r.admin, r.url = "http://"+line.Addr, "http://"+line.Admin, "ws://"+line.Addr+"/ws"
	t.Cleanup(func() { lookAtMetrics(t, r.admin) })
	return r
}

// dial connects in roomgate.v1 and waits for hello.
func (r *replica) dial(rooms ...string) *wstest.Client {
	r.t.Helper()
	c := wstest.Dial(r.t, r.url, "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer "+newToken(r.t, "u1", rooms...))
	c.WantType("hello")
	return c
}

// newToken returns a token for rooms, good for an hour.
func newToken(t testing.TB, sub string, rooms ...string) string {
	t.Helper()
	token, err := auth.Sign([]byte(testSecret), map[string]any{
		"sub": sub, "rooms": rooms, "publish": rooms, "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// lookAtMetrics looks at the metrics of a gateway, if it still runs.
func lookAtMetrics(t testing.TB, admin string) {
	answer, err := http.Get(admin + "/metrics")
	if err != nil {
		return
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Errorf("reading the metrics: %v", err)
	}
	secrecy.Page(t, string(page))
}

// get returns status and body of a page that has nothing secret.
func get(t testing.TB, url string, header ...string) (int, string) {
	t.Helper()
	status, body := getSecret(t, url, header...)
	if strings.HasSuffix(url, "/metrics") {
		secrecy.Page(t, body)
	} else {
		secrecy.Text(t, body)
	}
	return status, body
}

// getSecret is get for a page that is there to give away a token.
func getSecret(t testing.TB, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// wantIn expects text to hold each of the parts.
func wantIn(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got\n%s\nwant %q in it", text, part)
		}
	}
}

// output is what a process wrote.
type output struct {
	looked io.Writer // gets all of it, too; set before use; nil: nobody

	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.looked != nil {
		_, _ = o.looked.Write(p) // never fails
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
