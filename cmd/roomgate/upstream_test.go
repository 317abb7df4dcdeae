package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// anAPI is what http.upstream leads to.
func anAPI(t *testing.T, handle http.HandlerFunc) (url string) {
	t.Helper()
	api := httptest.NewServer(handle)
	t.Cleanup(api.Close)
	return api.URL
}

// withUpstream is a replica before an API.
func withUpstream(t *testing.T, url string, environ ...string) *replica {
	t.Helper()
	return serveUnready(t, "redis://127.0.0.1:1", append([]string{"ROOMGATE_HTTP_UPSTREAM=" + url}, environ...)...)
}

func TestOnePortServesTheSocketAndTheAPI(t *testing.T) {
	redis := redistest.Start(t)
	url := anAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Api", "yes")
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.RequestURI)
	})
	r := serve(t, redis.URL(), "ROOMGATE_HTTP_UPSTREAM="+url)
	r.dial("42")
	for _, uri := range []string{"/", "/api/users?a=1;b=%zz&c", "/a%2Fb//c/", "/websocket", "/WS"} {
		status, body := get(t, r.front+uri, "Host", "app.example.com")
		if want := "GET app.example.com " + uri; status != http.StatusTeapot || body != want {
			t.Errorf("the API got %d %q, want %q", status, body, want)
		}
	}
	if status, _ := get(t, r.front+"/ws"); status != http.StatusUpgradeRequired {
		t.Errorf("a plain GET of http.path is %d, want 426 by the gateway", status)
	}
}

func TestServerSentEventsStreamThroughTheUpstream(t *testing.T) {
	proceed := make(chan struct{})
	url := anAPI(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain") // not even one that net/http knows to stream
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "event %d\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-proceed:
			case <-r.Context().Done():
				return
			}
		}
	})
	answer := open(t, http.MethodGet, withUpstream(t, url).front+"/events", nil)
	events := bufio.NewReader(answer.Body)
	for i := range 3 {
		got, err := events.ReadString('\n') // before the API goes on
		if want := fmt.Sprintf("event %d\n", i); err != nil || got != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		proceed <- struct{}{}
	}
}

func TestUploadStreamsToTheUpstream(t *testing.T) {
	received := make(chan string)
	url := anAPI(t, func(w http.ResponseWriter, r *http.Request) {
		body := bufio.NewReader(r.Body)
		for {
			line, err := body.ReadString('\n')
			if err != nil {
				break
			}
			received <- line
		}
		_, _ = io.WriteString(w, "stored")
	})
	upload, source := io.Pipe()
	r := withUpstream(t, url)
	done := make(chan string, 1)
	go func() {
		answer := open(t, http.MethodPost, r.front+"/upload", upload)
		body, _ := io.ReadAll(answer.Body)
		done <- string(body)
	}()
	for _, line := range []string{"first\n", "second\n"} {
		if _, err := io.WriteString(source, line); err != nil {
			t.Fatal(err)
		}
		if got := <-received; got != line { // before the rest is sent
			t.Errorf("the API got %q, want %q", got, line)
		}
	}
	_ = source.Close()
	if got := <-done; got != "stored" {
		t.Errorf("the answer is %q, want stored", got)
	}
}

func TestUpstreamThatIsAwayIs502(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	r := withUpstream(t, "http://"+l.Addr().String())
	for range 3 {
		status, body := get(t, r.front+"/api?token=a-secret-of-the-query")
		if want := `{"error":"the upstream is not reachable: try again later"}` + "\n"; status != http.StatusBadGateway || body != want {
			t.Errorf("got %d %s, want 502 %s", status, body, want)
		}
	}
	if got := strings.Count(r.stderr.String(), `"upstream_failed"`); got != 1 {
		t.Errorf("%d lines tell of it, want 1: the others are counted", got)
	}
	wantIn(t, r.stderr.String(), "http.upstream did not answer", "connection refused")
	if strings.Contains(r.stderr.String(), "a-secret-of-the-query") {
		t.Error("a query is in the log")
	}
}

func TestAPIsOwnWebSocketPassesAndEndsWithTheReplica(t *testing.T) {
	url := anAPI(t, func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		for {
			kind, message, err := ws.Read(context.Background())
			if err != nil || ws.Write(context.Background(), kind, append([]byte("echo "), message...)) != nil {
				return
			}
		}
	})
	r := withUpstream(t, url)
	c := wstest.Dial(t, "ws"+strings.TrimPrefix(r.front, "http")+"/api/live")
	c.SendText("hi")
	c.WantText("echo hi")
	r.signals <- os.Interrupt
	r.signals <- os.Interrupt
	r.wait()
	c.WantGone()
}

func TestUpstreamIsToldOfTheClient(t *testing.T) {
	headers := make(chan http.Header, 1)
	url := anAPI(t, func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header })
	spoofed := []string{"X-Forwarded-For", "198.51.100.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com",
		"X-Forwarded-Port", "443", "X-Real-Ip", "198.51.100.1", "Forwarded", "for=198.51.100.1", "Authorization", "Bearer x"}
	for _, test := range []struct {
		trusted string
		want    map[string]string
	}{
		{"192.0.2.1", map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "gate.example.com",
			"X-Forwarded-Port": "", "X-Real-Ip": "", "Forwarded": "", "Authorization": "Bearer x"}},
		{"127.0.0.1", map[string]string{"X-Forwarded-For": "198.51.100.1, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.com",
			"X-Forwarded-Port": "443", "X-Real-Ip": "198.51.100.1", "Forwarded": "for=198.51.100.1, for=127.0.0.1", "Authorization": "Bearer x"}},
	} {
		r := withUpstream(t, url, "ROOMGATE_HTTP_TRUSTED_PROXIES="+test.trusted)
		get(t, r.front+"/", append(spoofed, "Host", "gate.example.com")...)
		got := <-headers
		for name, want := range test.want {
			if have := strings.Join(got.Values(name), " | "); have != want {
				t.Errorf("with trusted proxy %s the API got %s: %q, want %q", test.trusted, name, have, want)
			}
		}
	}
}

// open sends a request and leaves the answer's body to the test.
func open(t *testing.T, method, url string, body io.Reader) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Error(err)
		return &http.Response{Body: http.NoBody}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return &http.Response{Body: http.NoBody}
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}
