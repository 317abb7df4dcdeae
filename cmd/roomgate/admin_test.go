package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
)

func TestMetricsHaveNoRoomLabels(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	c := r.dial("a-room-of-its-own")
	c.SendText(`{"type":"publish","room":"a-room-of-its-own","data":1}`)
	_, _ = c.Next(), c.Next() // message and published, in either order
	status, metrics := get(t, r.admin+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics is %d", status)
	}
	wantIn(t, metrics, "roomgate_connections 1", "roomgate_build_info{", "roomgate_redis_up 1", "go_goroutines ", "process_open_fds ")
	for _, secret := range []string{"a-room-of-its-own", `"u1"`, "127.0.0.1"} {
		if strings.Contains(metrics, secret) {
			t.Errorf("/metrics has %s, of which there is no end", secret)
		}
	}
}

func TestAdminPagesAnswer(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	r.dial("42")
	for path, want := range map[string]string{
		"/": "/debug/check", "/healthz": `{"ok":true}`, "/readyz": `{"ready":true}`, "/debug/check": "ok\n", "/debug/pprof/": "goroutine",
	} {
		status, body := get(t, r.admin+path)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s is %d %s, want 200 and %q", path, status, body, want)
		}
	}
}

func TestAdminDoesNotShowTheCommandLine(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1")
	if status, body := get(t, r.admin+"/debug/pprof/cmdline"); status != http.StatusNotFound {
		t.Errorf("/debug/pprof/cmdline is %d %q, want 404: flags may hold secrets", status, body)
	}
}
