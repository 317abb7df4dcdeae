package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// behindProxy is a replica that expects PROXY headers from us.
func behindProxy(t *testing.T, environ ...string) *replica {
	return serveUnready(t, "redis://127.0.0.1:1", append([]string{"ROOMGATE_HTTP_PROXY_PROTOCOL=true", "ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1,10.0.0.0/8"}, environ...)...)
}

// prefixed sends something ahead of the first bytes that are written to it, in one packet.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	all := p.prefix + string(b)
	p.prefix = ""
	n, err := p.Conn.Write([]byte(all))
	return n - (len(all) - len(b)), err
}

func (r *replica) tcp() net.Conn {
	r.t.Helper()
	nc, err := net.DialTimeout("tcp", strings.TrimPrefix(r.front, "http://"), wstest.Patience)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// strange sends a request from a page that is not allowed, whose address is then in the log.
func (r *replica) strange(proxyHeader string, header ...string) *wstest.Client {
	r.t.Helper()
	c, err := wstest.Over(r.t, &prefixed{r.tcp(), proxyHeader}, r.url, append(header, "Origin: https://evil.example.com")...)
	if err != nil {
		r.t.Fatalf("after %q: %v", proxyHeader, err)
	}
	return c
}

func (r *replica) wantAddr(want string) {
	r.t.Helper()
	await(r.t, "a refusal of "+want, func() bool { return strings.Contains(r.stderr.String(), `"addr":"`+want+`","reason":"origin`) })
}

func TestAddressIsTheOneInThePROXYHeader(t *testing.T) {
	r := behindProxy(t)
	for header, want := range map[string]string{
		"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n":      "192.0.2.7",
		"PROXY TCP6 2001:db8::9 2001:db8::1 4660 80\r\n": "2001:db8::9",
		proxyV2(1, 0x21, block6):                         "2001:db8::7",
		"PROXY UNKNOWN\r\n":                              "127.0.0.1",
	} {
		if got := r.strange(header).Response.StatusCode; got != http.StatusForbidden {
			t.Errorf("after %q: status %d, want 403", header, got)
		}
		r.wantAddr(want)
	}
}

func TestForwardedForIsBelievedBehindAPROXYHeaderOnlyFromATrustedProxy(t *testing.T) {
	r := behindProxy(t)
	r.strange("PROXY TCP4 10.1.1.1 10.0.0.1 4660 80\r\n", "X-Forwarded-For: 198.51.100.1")
	r.wantAddr("198.51.100.1")
	r.strange("PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n", "X-Forwarded-For: 198.51.100.2")
	r.wantAddr("192.0.2.7")
	if strings.Contains(r.stderr.String(), "198.51.100.2") {
		t.Error("a client passed for another address")
	}
}

func TestMessagesReachAClientBehindAPROXYHeader(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_HTTP_PROXY_PROTOCOL=true", "ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1")
	c, err := wstest.Over(t, &prefixed{r.tcp(), proxyV2(1, 0x11, block4)}, r.url, "Sec-WebSocket-Protocol: roomgate.v1",
		"Authorization: Bearer "+newToken(t, "u1", "42"))
	if err != nil {
		t.Fatal(err)
	}
	c.WantType("hello")
	if err := redis.Client().Publish(t.Context(), "room:42", `{"n":1}`).Err(); err != nil {
		t.Fatal(err)
	}
	c.WantText(`{"type":"message","room":"42","data":{"n":1}}`)
	c.Drop()
	await(t, "the line of its end", func() bool { return strings.Contains(r.stderr.String(), `"connection_closed"`) })
	wantIn(t, r.stderr.String(), `"sub":"u1","addr":"192.0.2.7"`)
}

// The gateway must see through it, or each connection behind a proxy would cost a goroutine.
func TestConnectionWithAPROXYHeaderIsStillATCPConnection(t *testing.T) {
	var nc net.Conn = &proxiedConn{TCPConn: new(net.TCPConn)}
	carrier, ok := nc.(interface{ TCP() *net.TCPConn })
	if !ok || carrier.TCP() == nil {
		t.Error("the gateway finds no TCP connection in it")
	}
}

func TestSlowPROXYHeaderHoldsUpNobodyAndEndsInTime(t *testing.T) {
	r := behindProxy(t, "ROOMGATE_HTTP_HANDSHAKE_TIMEOUT=300ms")
	slow := r.tcp()
	if _, err := io.WriteString(slow, "PROXY TCP4"); err != nil {
		t.Fatal(err)
	}
	r.strange("PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n")
	wantClosed(t, slow)
}

func TestMissingPROXYHeaderFromATrustedProxyIsNotServed(t *testing.T) {
	r := behindProxy(t)
	for _, sent := range []string{"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", "PROXY TCP4 nonsense\r\n\r\n", "PROXY TCP4 192.0.2.7 10.0.0.1 99999 80\r\n"} {
		nc := r.tcp()
		if _, err := io.WriteString(nc, sent); err != nil {
			t.Fatal(err)
		}
		wantClosed(t, nc)
	}
	told := func() int { return strings.Count(r.stderr.String(), `"proxy_header_refused"`) }
	await(t, "a line that tells of it", func() bool { return told() > 0 }) // it is written after the close
	if got := told(); got != 1 {
		t.Errorf("%d lines tell of it, want 1: the others are counted", got)
	}
	wantIn(t, r.stderr.String(), `"addr":"127.0.0.1:`, `"error":"no PROXY header"`)
}

func TestProbeWithoutAPROXYHeaderIsNotTold(t *testing.T) {
	r := behindProxy(t)
	_ = r.tcp().Close()
	r.strange("PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n")
	if strings.Contains(r.stderr.String(), "proxy_header_refused") {
		t.Error("a connection that was closed at once is told of")
	}
}

func TestPROXYHeaderFromAnybodyElseIsABadRequest(t *testing.T) {
	for _, r := range []*replica{
		behindProxy(t, "ROOMGATE_HTTP_TRUSTED_PROXIES=192.0.2.1"),
		behindProxy(t, "ROOMGATE_HTTP_PROXY_PROTOCOL=false"),
	} {
		if got := r.strange("PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n").Response.StatusCode; got != http.StatusBadRequest {
			t.Errorf("status %d, want 400", got)
		}
	}
}

// wantClosed expects the server to close nc, and to say nothing.
func wantClosed(t *testing.T, nc net.Conn) {
	t.Helper()
	if err := nc.SetReadDeadline(time.Now().Add(wstest.Patience)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(nc)
	if len(answer) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v, want the end", answer, err)
	}
}
