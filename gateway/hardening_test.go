package gateway

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// Each test's name is a claim of docs/security.md, which lists the others by name.

// RFC 6455 section 1.3: the answer proves that the request was read as a WebSocket handshake.
func TestAcceptKeyProvesTheHandshake(t *testing.T) {
	w := newWorld(t, nil)
	r := w.raw("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " + w.token("42") + "\r\n\r\n")
	if got, want := r.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("Sec-WebSocket-Accept: %q, want %q", got, want)
	}
}

// What is never inflated cannot be a bomb, and what is never compressed leaks no secret by its length.
func TestCompressionIsNotNegotiatedUnlessConfigured(t *testing.T) {
	w := newWorld(t, nil)
	c := wstest.Dial(t, w.url, "Authorization: Bearer "+w.token("42"), "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame")
	if got := c.Response.Header.Values("Sec-WebSocket-Extensions"); len(got) > 0 {
		t.Errorf("accepted %q, want no extension", got)
	}
	c.Raw(wstest.AppendFrame(nil, 0xC1, []byte{0xAA, 0x56, 0x4A, 0x05, 0x00})) // RSV1
	c.WantClose(1002)
}

func TestUnknownSubprotocolsAreNotEchoed(t *testing.T) {
	w := newWorld(t, nil)
	for offered, want := range map[string]string{"chat, soap": "", "evil, roomgate.v1": "roomgate.v1", "bearer.x, roomgate.raw.v1": "roomgate.raw.v1"} {
		c := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: "+offered, "Sec-WebSocket-Protocol: another")
		if got := c.Response.Header.Get("Sec-WebSocket-Protocol"); got != want {
			t.Errorf("of %q %q was selected, want %q", offered, got, want)
		}
	}
}

func TestClientWithoutOriginIsRefusedIfSoConfigured(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Origins, o.RequireOrigin = []string{"https://example.com"}, true })
	w.wantStatus("?token="+w.token("42"), 403)
	w.wantStatus("?token="+w.token("42"), 403, "Origin: ")
	wstest.Dial(t, w.url+"?token="+w.token("42"), "Origin: https://example.com")
}

// A look-alike differs from a listed origin in one thing.
func TestLookalikeOfAListedOriginIsRefused(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.Origins = []string{"https://example.com", "https://*.example.org", "https://example.net:8443"}
	})
	for _, origin := range []string{
		"https://example.com:444", "https://example.com.", "https://www.example.com", "https://example.com@evil.com", "https://evil.com#https://example.com",
		"https://evil.com?.example.org", "https://evil.com#.example.org", "https://evil.com\\.example.org", "https://.example.org", "wss://a.example.org",
		"https://a.example.org:8443", "https://a.example.org.evil.com", "https://aexample.org", "https://example.net", "http://example.net:8443",
		"https://example.com, https://evil.com", "https://example.com https://evil.com", "file://", "NULL", "*",
	} {
		w.wantStatus("?token="+w.token("42"), 403, "Origin: "+origin)
	}
}

// Cross-site WebSocket hijacking: a browser sends the cookie whichever page connects.
func TestForeignPageCannotUseTheUsersCookie(t *testing.T) {
	b := &brokenTokens{}
	w := newWorld(t, func(o *Options) {
		b.Tokens, o.Tokens = o.Tokens, b
		o.TokenFrom, o.Cookie, o.Origins = []string{tokenCookie}, "session", []string{"https://example.com"}
	})
	cookie := "Cookie: session=" + w.token("42")
	wstest.Dial(t, w.url, "Origin: https://example.com", cookie)
	b.broken.Store(true) // verifying panics from now on: it is not even asked
	defer b.broken.Store(false)
	for _, origin := range []string{"https://evil.com", "null", "http://example.com"} {
		w.wantStatus("", 403, "Origin: "+origin, cookie)
	}
}

func TestClientWithoutATokenGetsNothing(t *testing.T) {
	w := newWorld(t, nil)
	w.dialV1(w.token("42"))
	c := w.dialUnauthorized("?room=42")
	if n := w.members("42"); n != 1 {
		t.Errorf("%d members, want only the one with a token", n)
	}
	w.publishText("42", "1")
	c.SendText(`{"type":"subscribe","room":"42"}`)
	c.WantClose(4001)
}

func TestForbiddenRoomLooksTheSameWhetherItExistsOrNot(t *testing.T) {
	w := newWorld(t, nil)
	w.dialV1(w.token("secret"))
	c := w.dialV1(w.token("42"))
	c.SendText(`{"type":"subscribe","room":"secret"}`)
	there := c.WantType("error")
	c.SendText(`{"type":"subscribe","room":"nobody"}`)
	if missing := c.WantType("error"); fmt.Sprint(there) != fmt.Sprint(missing) {
		t.Errorf("got %v and %v, want the same", there, missing)
	}
}

// Each fragment is a whole frame. The message that never ends is what is cut off.
func TestMessageOfEndlessFragmentsIsCutOff(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FrameTimeout = 200 * time.Millisecond })
	c := w.dialV1(w.token("42"))
	c.Raw(wstest.AppendFrame(nil, 0x01, nil))
	go trickle(c, wstest.AppendFrame(nil, 0x00, nil), 10*time.Millisecond)
	c.WantClose(4204)
}

// trickle sends b now and then, until the connection ends.
func trickle(c *wstest.Client, b []byte, every time.Duration) {
	for c.RawErr(b) == nil {
		time.Sleep(every)
	}
}

func TestDeeplyNestedJSONIsABadRequest(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	for _, deep := range []string{strings.Repeat("[", 90<<10), strings.Repeat(`{"type":`, 10<<10), `{"type":"ping","x":` + strings.Repeat("[", 40<<10) + strings.Repeat("]", 40<<10) + `}`} {
		c.SendText(deep)
		if e := c.WantType("error"); e["code"] != "bad_request" {
			t.Errorf("got %v", e)
		}
	}
	c.SendText(`{"type":"ping"}`)
	c.WantType("pong")
}

func TestWhatAStrangerSendsCannotForgeALogLine(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Origins = []string{"https://example.com"} })
	const forged = "{\"event\":\"forged\"}"
	for _, evil := range []string{`https://x","event":"forged`, "https://x\u2028" + forged, "https://x\u0085" + forged, "https://\xff\xfe", "https://" + strings.Repeat("x", 4096)} {
		w.wantStatus("?room=42", 403, "Origin: "+evil)
	}
	lines := strings.Split(strings.TrimSpace(w.logs.String()), "\n")
	for _, line := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil || m["event"] != "origin_refused" || len(line) > 600 {
			t.Errorf("a line that is none, or too long: %q (%v)", line, err)
		}
	}
	if len(lines) != 5 {
		t.Errorf("%d lines, want 5", len(lines))
	}
}

// It could be a token, by a client's mistake.
func TestReasonOfAClientsCloseIsNotLogged(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	c.Send(wstest.Close, append([]byte{0x0F, 0xA0}, "a-secret-of-the-client"...))
	if f := c.Next(); f.CloseCode() != 4000 {
		t.Fatalf("got %v, want close 4000", f)
	}
	w.await("the line of its end", func() bool { return strings.Contains(w.logs.String(), "connection_closed") })
	if strings.Contains(w.logs.String(), "a-secret-of-the-client") {
		t.Errorf("the reason is in the log: %s", w.logs.String())
	}
}

func TestRefusalsAreNotCached(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Origins, o.Reject = []string{"https://example.com"}, rejectStatus })
	for _, r := range []*http.Response{
		w.raw("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n"),
		w.wantStatus("?room=a%20b", 400),
		w.wantStatus("?token=x", 401),
		w.wantStatus("", 403, "Origin: https://evil.com"),
		w.wantStatus("?room=43&token="+w.token("42"), 403),
	} {
		if got := r.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q, want no-store", r.Status, got)
		}
	}
}

// With auth.reject: status one TCP connection can carry any number of attempts.
func TestRefusedTokensOnOneTCPConnectionCountEach(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FailedTokensPerAddress, o.Reject = 3, rejectStatus })
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for attempt, want := range []int{401, 401, 401, 429} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http"+strings.TrimPrefix(w.url, "ws"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Authorization": "Bearer x"} {
			request.Header.Set(name, value)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("attempt %d: got %s, want %d", attempt+1, answer.Status, want)
		}
	}
}
