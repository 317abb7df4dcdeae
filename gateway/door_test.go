package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

func TestTokenIsTakenFromEachPlaceThatIsOn(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.TokenFrom = []string{tokenHeader, tokenSubprotocol, tokenQuery, tokenCookie, tokenMessage}
		o.Cookie = "session"
	})
	token := w.token("42")
	for place, dial := range map[string]func() *wstest.Client{
		"header": func() *wstest.Client {
			return wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: bearer "+token)
		},
		"subprotocol": func() *wstest.Client {
			return wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: bearer."+token+", roomgate.v1")
		},
		"query": func() *wstest.Client {
			return wstest.Dial(t, w.url+"?token="+token, "Sec-WebSocket-Protocol: roomgate.v1")
		},
		"cookie": func() *wstest.Client {
			return wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1", "Cookie: a=b; session="+token)
		},
		"message": func() *wstest.Client {
			c := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1")
			c.SendText(`{"type":"auth","token":"` + token + `","ref":1}`)
			return c
		},
		"twice the same": func() *wstest.Client {
			return wstest.Dial(t, w.url+"?token="+token, "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer "+token)
		},
	} {
		t.Run(place, func(t *testing.T) { dial().WantType("hello") })
	}
}

func TestTokenIsIgnoredWhereItIsNotLookedFor(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.TokenFrom = []string{tokenHeader} })
	token := w.token("42")
	for _, c := range []*wstest.Client{
		wstest.Dial(t, w.url+"?token="+token),
		wstest.Dial(t, w.url, "Cookie: token="+token),
		wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token),
		wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1"), // message is off
	} {
		c.WantClose(4001)
	}
}

func TestRefusedTokenIsToldByACloseFrame(t *testing.T) {
	w := newWorld(t, nil)
	expired := w.tokenWith(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	for name, test := range map[string]struct {
		url    string
		header string
		code   int
	}{
		"no token, raw":     {"", "X: y", 4001},
		"invalid":           {"?token=invalid", "X: y", 4002},
		"expired":           {"?token=" + expired, "X: y", 4002},
		"two different":     {"?token=" + w.token("42"), "Authorization: Bearer " + w.token("43"), 4002},
		"room not allowed":  {"?token=" + w.token("42") + "&room=43", "X: y", 4003},
		"one of two rooms":  {"?token=" + w.token("42") + "&room=42&room=43", "Sec-WebSocket-Protocol: roomgate.v1", 4003},
		"invalid, v1":       {"?token=invalid", "Sec-WebSocket-Protocol: roomgate.v1", 4002},
		"empty query token": {"?token=", "X: y", 4001},
	} {
		t.Run(name, func(t *testing.T) {
			reason := wstest.Dial(t, w.url+test.url, test.header).WantClose(test.code)
			if reason == "" || strings.Contains(reason, "ey") {
				t.Errorf("reason %q: want words, and no token", reason)
			}
		})
	}
	if n := len(w.rooms.subscribed); n != 0 {
		t.Errorf("refused connections subscribed to %d rooms", n)
	}
}

func TestRefusedTokenIsAStatusIfSoConfigured(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Reject = rejectStatus })
	w.wantStatus("", 401)
	w.wantStatus("?token=invalid", 401)
	w.wantStatus("?room=43&token="+w.token("42"), 403)
}

// wantStatus expects a refusal by HTTP, with a JSON body that says why.
func (w *world) wantStatus(query string, status int, header ...string) *http.Response {
	w.t.Helper()
	c, err := wstest.Try(w.t, w.url+query, header...)
	if err != nil {
		w.t.Fatal(err)
	}
	body, _ := io.ReadAll(c.Response.Body)
	var answer struct{ Error string }
	if c.Response.StatusCode != status || json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		w.t.Errorf("%s %q: got %s %q, want %d and a JSON error", query, header, c.Response.Status, body, status)
	}
	return c.Response
}

func TestMalformedRequestIsRefusedBeforeTheUpgrade(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token("**")
	w.wantStatus("?room=a%20b&token="+token, 400)
	w.wantStatus("?room=&token="+token, 400)
	w.wantStatus("?room="+strings.Repeat("r", 129)+"&token="+token, 400)
	w.wantStatus("?token="+token+strings.Repeat("&room=a", 101), 400)
	w.wantStatus("", 400, "Sec-WebSocket-Protocol: bearer."+token)
	for _, test := range []struct {
		request string
		status  int
	}{
		{"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426},
		{"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 426},
		{"POST /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 400},
		{"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n", 400},
		{"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400},
		{"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2hvcnQ=\r\n\r\n", 400},
	} {
		if got := w.raw(test.request); got.StatusCode != test.status {
			t.Errorf("%q: got %s, want %d", test.request, got.Status, test.status)
		}
	}
}

func TestOriginOutsideTheListIsRefused(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Origins = []string{"https://example.com", "https://*.example.org"} })
	for _, origin := range []string{"https://evil.com", "http://example.com", "https://example.org", "null", "https://example.com.evil.com", "https://xexample.org", "https://evil.com/.example.org"} {
		w.wantStatus("?token="+w.token("42"), 403, "Origin: "+origin)
	}
	for _, origin := range []string{"https://example.com", "https://EXAMPLE.com", "https://a.example.org", "https://a.b.example.org"} {
		wstest.Dial(t, w.url+"?token="+w.token("42"), "Origin: "+origin)
	}
	if !strings.Contains(w.logs.String(), `"event":"origin_refused"`) {
		t.Error("no log line says that an origin was refused")
	}
}

func TestWithoutAListThePageMustBeOfOurHost(t *testing.T) {
	w := newWorld(t, nil)
	host := strings.TrimSuffix(strings.TrimPrefix(w.url, "ws://"), "/ws")
	wstest.Dial(t, w.url+"?token="+w.token("42"), "Origin: http://"+host)
	w.wantStatus("?token="+w.token("42"), 403, "Origin: http://other")
	w.wantStatus("?token="+w.token("42"), 403, "Origin: null")
}

func TestFullNodeAnswers503(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Connections = 2 })
	a := w.dialV1(w.token("42"))
	w.dialV1(w.token("42"))
	if r := w.wantStatus("?token="+w.token("42"), 503); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	a.Drop()
	w.await("a place", func() bool { return w.admitted.Load() == 1 })
	w.dialV1(w.token("42"))
}

func TestRefusedClientsAreToldDifferentTimesToComeBack(t *testing.T) {
	drawn := map[int]bool{}
	for range 200 {
		seconds, err := strconv.Atoi(RetryAfter())
		if err != nil || seconds < 5 || seconds > 10 {
			t.Fatalf("Retry-After is %d (%v), want 5 to 10", seconds, err)
		}
		drawn[seconds] = true
	}
	if len(drawn) != 6 {
		t.Errorf("%d different ones of 200, want all six", len(drawn))
	}
}

func TestRedisUnavailableAnswers503(t *testing.T) {
	w := newWorld(t, nil)
	w.rooms.fail(errDown)
	if r := w.wantStatus("?token="+w.token("42"), 503); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestRedisLostBetweenDoorAndRoomClosesWith4104(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SubscribeTimeout = 50 * time.Millisecond })
	w.rooms.gate = make(chan struct{})
	c := wstest.Dial(t, w.url+"?token="+w.token("1", "2"), "Sec-WebSocket-Protocol: roomgate.v1")
	c.WantClose(4104)
}

// raw sends a request as it is, and returns the answer.
func (w *world) raw(request string) *http.Response {
	w.t.Helper()
	return rawAnswer(w.t, w.url, request)
}
