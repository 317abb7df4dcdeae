package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

func TestHealthIsWhatReadyzSays(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	environ := []string{"ROOMGATE_ADMIN_ADDR=" + strings.TrimPrefix(r.admin, "http://")}
	if code, stdout, stderr := command(t, environ, "health"); code != 0 || stdout != "ready\n" || stderr != "" {
		t.Errorf("of a ready gateway health exits with %d and says %q, %q, want 0 and ready", code, stdout, stderr)
	}

	// A setting that was broken since does not make who serves sick.
	broken := append(environ, "ROOMGATE_NO_SUCH=1", "ROOMGATE_HTTP_PATH=ws", "HTTP_PROXY=http://127.0.0.1:1")
	if code, _, stderr := command(t, broken, "health"); code != 0 {
		t.Errorf("beside a broken setting health exits with %d: %s", code, stderr)
	}

	redis.Kill()
	await(t, "unreadiness", func() bool { status, _ := get(t, r.admin+"/readyz"); return status != http.StatusOK })
	code, stdout, stderr := command(t, environ, "health")
	if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "roomgate: not ready: redis: ") {
		t.Errorf("without Redis health exits with %d and says %q, %q, want 1 and why", code, stdout, stderr)
	}
	if code, stdout, stderr := command(t, environ, "health", "--live"); code != 0 || stdout != "ok\n" {
		t.Errorf("without Redis health --live exits with %d and says %q, %q, want 0 and ok", code, stdout, stderr)
	}
}

func TestHealthFindsAListenerOnAllAddresses(t *testing.T) {
	r := serve(t, redistest.Start(t).URL(), "ROOMGATE_ADMIN_ADDR=:0")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.admin, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{":" + port, "0.0.0.0:" + port, "[::]:" + port, "localhost:" + port} {
		if code, _, stderr := command(t, nil, "health", "--admin.addr", addr); code != 0 {
			t.Errorf("with admin.addr %s health exits with %d: %s", addr, code, stderr)
		}
	}
}

func TestHealthDoesNotTakeAnotherProgramForRoomgate(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a page":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"JSON":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"ok"}`)) },
		"half of it": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"ready":"yes","ok":1}`)) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
	} {
		other := httptest.NewServer(answer)
		for _, args := range [][]string{{"health"}, {"health", "--live"}} {
			code, _, stderr := command(t, nil, append(args, "--admin.addr", other.Listener.Addr().String())...)
			if want := "not as roomgate does"; code != 1 || !strings.Contains(stderr, want) {
				t.Errorf("of %s %v exits with %d and says %q, want 1 and %q", name, args, code, stderr, want)
			}
		}
		other.Close()
	}
}

func TestHealthDoesNotWaitForWhoHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	code, _, stderr := command(t, nil, "health", "--admin.addr", silent.Addr().String(), "--timeout", "50ms")
	if want := "no answer from " + silent.Addr().String() + " in time"; code != 1 || !strings.Contains(stderr, want) {
		t.Errorf("health exits with %d and says %q, want 1 and %q", code, stderr, want)
	}
	if took := time.Since(began); took >= healthTime {
		t.Errorf("health took %v, so --timeout is of no use", took)
	}
}
