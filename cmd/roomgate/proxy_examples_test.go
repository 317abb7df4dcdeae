package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// fronted starts Redis, roomgate with trust in the proxy, an API, and a proxy in front of both.
func fronted(t testing.TB, of proxy, settings ...string) (*edge, *replica, *redistest.Server) {
	t.Helper()
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), append([]string{"ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1",
		"ROOMGATE_HTTP_ALLOWED_ORIGINS=https://app.example.com"}, settings...)...)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "the API has %s", r.URL.Path) }))
	t.Cleanup(api.Close)
	return startProxy(t, of, strings.TrimPrefix(r.front, "http://"), strings.TrimPrefix(api.URL, "http://")), r, redis
}

// The connection is idle for twice as long as the proxy's timeout.
func TestProxyExamplesCarryWSSAndPingsKeepItOpen(t *testing.T) {
	eachProxy(t, func(t *testing.T, of proxy) {
		e, r, redis := fronted(t, of, "ROOMGATE_HTTP_PING_INTERVAL=1s", "ROOMGATE_HTTP_PONG_TIMEOUT=900ms")
		c := e.dial("127.0.0.7", "", "Sec-WebSocket-Protocol: "+v1+", bearer."+newToken(t, "u1", "42"),
			"Origin: https://app.example.com", "X-Forwarded-For: 9.9.9.9", "Forwarded: for=9.9.9.9")
		c.WantType("hello")
		began := time.Now()
		for time.Since(began) < 2*shortTimeout {
			f, err := c.Read()
			if err != nil || f.Op != wstest.Ping {
				t.Fatalf("after %v: got %v %v, want a ping", time.Since(began), f, err)
			}
			c.Send(wstest.Pong, f.Payload)
		}
		redis.Client().Publish(t.Context(), "room:42", `{"text":"hi"}`)
		c.WantText(`{"type":"message","room":"42","data":{"text":"hi"}}`)
		c.Drop()
		await(t, "the line of its end", func() bool { return strings.Contains(r.stderr.String(), `"event":"connection_closed"`) })
		wantIn(t, r.stderr.String(), `"sub":"u1","addr":"127.0.0.7"`)
		if strings.Contains(r.stderr.String(), "9.9.9.9") {
			t.Error("what the client itself wrote into X-Forwarded-For or Forwarded is in the log")
		}
	})
}

// The proof that the timeout above is at work, of the proxies that have one for a WebSocket.
func TestProxiesDropAConnectionThatIsNotPinged(t *testing.T) {
	eachProxy(t, func(t *testing.T, of proxy) {
		if !of.timesOut {
			return // nothing is claimed of it
		}
		e, _, _ := fronted(t, of)
		c := e.dial("127.0.0.7", "", "Sec-WebSocket-Protocol: "+v1+", bearer."+newToken(t, "u1", "42"))
		c.WantType("hello")
		began := time.Now()
		c.WantGone()
		if took := time.Since(began); took < shortTimeout/2 || took > 5*shortTimeout {
			t.Errorf("dropped after %v, want %v", took, shortTimeout)
		}
	})
}

// Let in, and refused by the proxy because roomgate is gone, which each logs in another way.
func TestProxyExamplesLogNoToken(t *testing.T) {
	eachProxy(t, func(t *testing.T, of proxy) {
		e, r, _ := fronted(t, of)
		token := newToken(t, "u1", "42")
		tokens := map[string][]string{
			"?room=42&token=" + token: nil,
			"":                        {"Sec-WebSocket-Protocol: " + raw + ", bearer." + token},
			"?room=42":                {"Authorization: Bearer " + token},
		}
		for query, header := range tokens {
			c := e.dial("127.0.0.7", query, header...)
			c.Send(wstest.Ping, nil)
			if f, err := c.Read(); err != nil || f.Op != wstest.Pong {
				t.Fatalf("got %v %v, want a pong", f, err)
			}
			c.Drop()
		}
		r.signals <- syscall.SIGTERM
		r.wait()
		for query, header := range tokens {
			if c := e.dial("127.0.0.7", query, header...); c.Response.StatusCode != of.unreachable {
				t.Errorf("without roomgate it answered %s, want %d", c.Response.Status, of.unreachable)
			}
		}
		for _, status := range []int{http.StatusSwitchingProtocols, of.unreachable} {
			line := of.access("127.0.0.7", "/ws", status)
			await(t, "lines of access like "+line.String(), func() bool { return len(line.FindAllString(e.said(), -1)) == len(tokens) })
		}
		for _, part := range append(strings.Split(token, "."), "token=", "bearer", "Bearer") {
			if said := e.said(); strings.Contains(said, part) {
				t.Errorf("%q is in what it logged:\n%s", part, said)
			}
		}
	})
}

func TestProxyExamplesServeTheAPIAndOldTLSToNobody(t *testing.T) {
	eachProxy(t, func(t *testing.T, of proxy) {
		e, _, _ := fronted(t, of)
		nc, err := e.open("127.0.0.7", tls.VersionTLS12)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, "GET /users HTTP/1.0\r\nHost: api.example.com\r\n\r\n") // if it fails, so does reading
		body, err := io.ReadAll(nc)
		if err != nil || !strings.Contains(string(body), "the API has /users") {
			t.Errorf("got %s %v, want the API's answer", body, err)
		}
		if nc, err := e.open("127.0.0.7", tls.VersionTLS11); err == nil {
			nc.Close()
			t.Error("TLS 1.1 is spoken")
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.plain+"/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "api.example.com"
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		to := answer.Header.Get("Location")
		if answer.StatusCode/100 != 3 || !strings.HasPrefix(to, "https://api.example.com") || !strings.HasSuffix(to, "/users") {
			t.Errorf("plain HTTP is answered with %s to %q, want a redirect to https", answer.Status, to)
		}
	})
}
