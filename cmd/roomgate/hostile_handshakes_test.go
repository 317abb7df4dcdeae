//go:build linux

package main

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// Connections that send nothing, or never enough, are more than there are open files.
func TestHostileHalfOpenConnectionsKeepOutNeitherClientsNorProbes(t *testing.T) {
	const files, foes = 400, 600
	g := startGateWithin(t, files, redistest.Start(t).URL(), "GOMAXPROCS=2") // of which the reserve depends
	for i := range foes {
		nc, err := dialLoopback(g.addr, 66, i)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer nc.Close()
		if i%2 == 0 {
			if _, err := io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: gate\r\nX-Slow"); err != nil {
				t.Fatal(err)
			}
		}
	}
	timely := func(what string, do func()) {
		t.Helper()
		began := time.Now()
		do()
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s took %v, want at most 1 s", what, took)
		}
	}
	timely("/healthz", func() {
		if status, _ := get(t, g.admin+"/healthz"); status != http.StatusOK {
			t.Errorf("/healthz is %d", status)
		}
	})
	timely("an honest client", func() {
		wstest.Dial(t, g.url(), "Sec-WebSocket-Protocol: "+v1, "Authorization: Bearer "+newToken(t, "u1", "42")).WantType("hello")
	})
	if n := g.metric("roomgate_limits_exceeded_total", `limit="handshakes"`); n < foes-files {
		t.Errorf("%d are counted as closed, want %d or more", n, foes-files)
	}
	wantIn(t, g.said(), `"event":"rate_limited"`, `"reason":"handshakes"`)
	if n := g.metric("process_open_fds", ""); n >= files {
		t.Errorf("%d open files of %d", n, files)
	}
	g.wantSound()
}
