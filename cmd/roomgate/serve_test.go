package main

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

func TestWhatRedisPublishesReachesTheClientByteForByte(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	c := wstest.Dial(t, r.url+"/chat?token="+newToken(t, "u1", "42"))
	c.Send(wstest.Ping, nil) // answered once its rooms are joined
	if f, err := c.Read(); err != nil || f.Op != wstest.Pong {
		t.Fatalf("got %v %v, want a pong", f, err)
	}
	const payload = `{ "text" : "hi" , "n":1.0 }`
	if err := redis.Client().Publish(t.Context(), "room:42", payload).Err(); err != nil {
		t.Fatal(err)
	}
	c.WantText(payload)
}

func TestSigtermDrains(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_DRAIN_DELAY=200ms", "ROOMGATE_DRAIN_PERIOD=300ms")
	clients := make([]*wstest.Client, 20)
	for i := range clients {
		clients[i] = r.dial("42")
	}
	r.signals <- syscall.SIGTERM
	await(t, "not ready", func() bool { status, _ := get(t, r.admin+"/readyz"); return status == http.StatusServiceUnavailable })
	if _, body := get(t, r.admin+"/readyz"); !strings.Contains(body, `"reason":"draining"`) {
		t.Errorf("/readyz says %s, want that it is draining", body)
	}
	clients = append(clients, r.dial("42")) // load balancers may not have seen it yet: it is let in

	clients[0].WantType("bye")
	late, err := wstest.Try(t, r.url, "Authorization: Bearer "+newToken(t, "u2", "42"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := late.Response.StatusCode, http.StatusServiceUnavailable; got != want {
		t.Errorf("a client that came after drain.delay got %d, want %d", got, want)
	}
	clients[0].WantClose(4201)
	for _, c := range clients[1:] {
		c.WantType("bye")
		c.WantClose(4201)
	}
	if got, want := r.wait(), 0; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
	wantIn(t, r.stderr.String(), `"msg":"draining"`, `"connections":20`, `"msg":"drained","complete":true`, `"msg":"stopped","cut":0`)
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_DRAIN_DELAY=1h")
	c := r.dial("42")
	r.signals <- os.Interrupt
	await(t, "the drain", func() bool { return strings.Contains(r.stderr.String(), `"msg":"draining"`) })
	r.signals <- os.Interrupt
	if got, want := r.wait(), 1; got != want {
		t.Errorf("exit code %d, want %d since a connection was cut off", got, want)
	}
	c.WantGone()
	wantIn(t, r.stderr.String(), "second signal: ending at once", "roomgate: 1 connections were cut off")
}

func TestSecondSignalThatCutsNobodyIsNoFailure(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_DRAIN_DELAY=1h")
	r.signals <- os.Interrupt
	r.signals <- os.Interrupt
	if got, want := r.wait(), 0; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

func TestReadyzTellsWhy(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	redis.Kill()
	await(t, "not ready", func() bool { status, _ := get(t, r.admin+"/readyz"); return status == http.StatusServiceUnavailable })
	_, body := get(t, r.admin+"/readyz")
	wantIn(t, body, `"ready":false`, `"reason":"redis: `)
	if status, _ := get(t, r.admin+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d, want 200: a restart would not bring Redis back", status)
	}
	redis.Restart()
	await(t, "ready again", func() bool { status, _ := get(t, r.admin+"/readyz"); return status == http.StatusOK })
}

func TestStartsWithoutRedisAndGetsReadyWithIt(t *testing.T) {
	redis := redistest.Start(t)
	redis.Kill()
	r := serveUnready(t, redis.URL())
	c, err := wstest.Try(t, r.url, "Authorization: Bearer "+newToken(t, "u1", "42"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Response.StatusCode, http.StatusServiceUnavailable; got != want {
		t.Errorf("without Redis an upgrade got %d, want %d", got, want)
	}
	if c.Response.Header.Get("Retry-After") == "" {
		t.Error("the refusal has no Retry-After")
	}
	redis.Restart()
	await(t, "readiness", func() bool { status, _ := get(t, r.admin+"/readyz"); return status == http.StatusOK })
	r.dial("42")
}

func TestOtherPathsTellWhereTheSocketIs(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1", "ROOMGATE_HTTP_PATH=/socket")
	for _, path := range []string{"/", "/healthz", "/metrics", "/socketry", "/ws?token=abc"} {
		status, body := get(t, r.front+path)
		if want := "{\"error\":\"nothing is here: WebSocket connections are served on /socket\"}\n"; status != http.StatusNotFound || body != want {
			t.Errorf("GET %s is %d %s, want 404 %s", path, status, body, want)
		}
	}
	if status, _ := get(t, r.front+"/socket/chat"); status != http.StatusUpgradeRequired {
		t.Errorf("GET of a path below http.path is %d, want 426", status)
	}
}

func TestAddressInUseIsToldWithItsSetting(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1")
	addr := strings.TrimPrefix(r.front, "http://")
	code, _, stderr := command(t, []string{"JWT_SECRET=" + testSecret}, "serve", "--http.addr", addr)
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	wantIn(t, stderr, "roomgate: http.addr: another process listens on "+addr, "--http.addr")
}

func TestRealProcessDrainsOnSigterm(t *testing.T) {
	redis := redistest.Start(t)
	var stderr output
	cmd := exec.Command("roomgate", "--http.addr=127.0.0.1:0", "--admin.addr=off", "--drain.delay=0", "--drain.period=100ms")
	cmd.Env = []string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redis.URL(), "ROOMGATE_LOG_LEVEL=debug", "GORACE=atexit_sleep_ms=0"}
	cmd.Env = append(cmd.Env, secrecy.Environ()...)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, unless the test failed
	var addr string
	await(t, "the line that it serves", func() bool {
		_, rest, found := strings.Cut(stderr.String(), `"addr":"`)
		addr, _, _ = strings.Cut(rest, `"`)
		return found
	})
	var c *wstest.Client
	await(t, "an upgrade", func() (upgraded bool) {
		var err error
		c, err = wstest.Try(t, "ws://"+addr+"/ws", "Sec-WebSocket-Protocol: roomgate.v1, bearer."+newToken(t, "u1", "42"))
		return err == nil && c.Response.StatusCode == http.StatusSwitchingProtocols // before it is ready, 503
	})
	c.WantType("hello")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.WantType("bye")
	c.WantClose(4201)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0; it said\n%s", err, stderr.String())
	}
}
