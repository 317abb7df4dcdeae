package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// exceeded is how often a limit was exceeded.
func (r *replica) exceeded(limit string, dryRun bool) (n int) {
	r.t.Helper()
	_, body := get(r.t, r.admin+"/metrics")
	series := fmt.Sprintf("roomgate_limits_exceeded_total{dry_run=\"%v\",limit=%q} ", dryRun, limit)
	if _, rest, found := strings.Cut(body, series); found {
		if _, err := fmt.Sscan(rest, &n); err != nil {
			r.t.Fatal(err)
		}
	}
	return n
}

// wantAnswer sends a request over nc, and expects a status.
func wantAnswer(t *testing.T, nc net.Conn, request string, status int) {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(wstest.Patience)); err != nil {
		t.Fatal(err)
	}
	_, err := io.WriteString(nc, request)
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(bufio.NewReader(nc), nil); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			if answer.StatusCode != status {
				t.Errorf("%q: status %d, want %d", request, answer.StatusCode, status)
			}
		}
	}
	if err != nil {
		t.Errorf("%q: %v, want status %d", request, err, status)
	}
}

const plainRequest = "GET / HTTP/1.1\r\nHost: gate\r\n\r\n"

func TestOldestOfTooManyHandshakesIsClosed(t *testing.T) {
	handling, proceed := make(chan bool), make(chan bool)
	url := anAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			handling <- true
			<-proceed
		}
	})
	r := serve(t, redistest.Start(t).URL(), "ROOMGATE_LIMITS_HANDSHAKES=2", "ROOMGATE_HTTP_UPSTREAM="+url)
	c := r.dial("42") // neither a WebSocket nor a request under way is one
	slow := r.tcp()
	if _, err := io.WriteString(slow, "GET /slow HTTP/1.1\r\nHost: gate\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-handling

	silent, second := r.tcp(), r.tcp()
	wantAnswer(t, second, plainRequest, http.StatusOK) // idle now, and the newest
	third := r.tcp()
	wantClosed(t, silent)
	wantAnswer(t, second, plainRequest, http.StatusOK)
	r.tcp()
	wantClosed(t, third)

	proceed <- true
	wantAnswer(t, slow, "", http.StatusOK)
	await(t, "that slow is idle, and one too many", func() bool { return r.exceeded("handshakes", false) == 3 })
	c.SendText(`{"type":"ping"}`)
	c.WantType("pong")
	wantIn(t, r.stderr.String(), `"event":"rate_limited"`, `"addr":"127.0.0.1","reason":"handshakes","dry_run":false`)
}

// To say goodbye, TLS would write to whoever does not read.
func TestOldestOfTooManyHandshakesIsClosedBelowTLS(t *testing.T) {
	a := newAuthority(t)
	environ := append(newVolume(t, tlsFiles(a, "first")).environ(false), "ROOMGATE_LIMITS_HANDSHAKES=1")
	for name, environ := range map[string][]string{
		"alone":                   environ,
		"before the PROXY header": append(environ, "ROOMGATE_HTTP_PROXY_PROTOCOL=true", "ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1"),
	} {
		t.Run(name, func(t *testing.T) {
			r := serveUnready(t, "redis://127.0.0.1:1", environ...)
			silent := r.tcp()
			next := r.tcp()
			wantClosed(t, silent)
			if name != "alone" {
				next = &prefixed{next, "PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n"}
			}
			wantAnswer(t, tls.Client(next, &tls.Config{RootCAs: a.pool(), ServerName: "127.0.0.1"}), plainRequest, http.StatusNotFound)
		})
	}
}

func TestDryRunOfHandshakesClosesNobody(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1", "ROOMGATE_LIMITS_HANDSHAKES=1", "ROOMGATE_LIMITS_DRY_RUN=handshakes")
	first, second := r.tcp(), r.tcp()
	wantAnswer(t, second, plainRequest, http.StatusNotFound)
	wantAnswer(t, first, plainRequest, http.StatusNotFound)
	if would, did := r.exceeded("handshakes", true), r.exceeded("handshakes", false); would == 0 || did != 0 {
		t.Errorf("counted %d times as what would be, and %d as what was, want some and none", would, did)
	}
}

func TestHandshakeTimeoutIsCountedAndLogged(t *testing.T) {
	for name, environ := range map[string][]string{
		"plain": nil,
		"TLS":   newVolume(t, tlsFiles(newAuthority(t), "first")).environ(false),
	} {
		t.Run(name, func(t *testing.T) {
			r := serveUnready(t, "redis://127.0.0.1:1", append(environ, "ROOMGATE_HTTP_HANDSHAKE_TIMEOUT=100ms")...)
			_ = r.tcp().Close() // this one had enough by itself
			slow := r.tcp()
			wantClosed(t, slow)
			await(t, "a count", func() bool { return r.exceeded("handshake_timeout", false) == 1 })
			wantIn(t, r.stderr.String(), `"addr":"127.0.0.1","reason":"handshake_timeout","dry_run":false`)
		})
	}
}

// Of a request that is ours, neither the body nor the reading of the answer may last.
func TestBodyThatNeverComesAndAnswersThatAreNotReadAreNotAwaited(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1", "ROOMGATE_HTTP_HANDSHAKE_TIMEOUT=200ms")
	stingy := r.tcp()
	wantAnswer(t, stingy, "POST /ws HTTP/1.1\r\nHost: gate\r\nContent-Length: 10\r\n\r\n", http.StatusUpgradeRequired)
	wantClosed(t, stingy)

	deaf := r.tcp()
	if err := deaf.SetWriteDeadline(time.Now().Add(wstest.Patience)); err != nil {
		t.Fatal(err)
	}
	var err error
	for requests := []byte(strings.Repeat(plainRequest, 1000)); err == nil; { // until it is cut off
		_, err = deaf.Write(requests)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("requests whose answers are not read: %v, want the end", err)
	}
}

func TestRequestsToTheUpstreamAreLimited(t *testing.T) {
	handling, proceed := make(chan bool), make(chan bool)
	url := anAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/live":
			if ws, err := websocket.Accept(w, r, nil); err == nil {
				_, _, _ = ws.Read(context.Background()) // until the client goes
				_ = ws.CloseNow()
			}
		case "/slow":
			handling <- true
			<-proceed
		}
	})
	r := serve(t, redistest.Start(t).URL(), "ROOMGATE_LIMITS_UPSTREAM_REQUESTS=2", "ROOMGATE_HTTP_UPSTREAM="+url)
	ws := wstest.Dial(t, "ws"+strings.TrimPrefix(r.front, "http")+"/live")
	first := make(chan int, 1)
	go func() { first <- open(t, http.MethodGet, r.front+"/slow", nil).StatusCode }()
	<-handling

	full := open(t, http.MethodGet, r.front+"/", nil)
	if full.StatusCode != http.StatusServiceUnavailable || full.Header.Get("Retry-After") == "" {
		t.Errorf("one too many got %s with Retry-After %q, want 503 and when", full.Status, full.Header.Get("Retry-After"))
	}
	if got := r.exceeded("upstream_requests", false); got != 1 {
		t.Errorf("%d are counted, want 1", got)
	}
	r.dial("42").Drop() // that is not the upstream's
	close(proceed)
	<-first
	await(t, "the place that it gives back", func() bool { status, _ := get(t, r.front+"/"); return status == http.StatusOK })
	ws.Drop()
	wantIn(t, r.stderr.String(), `"reason":"upstream_requests"`)
}
