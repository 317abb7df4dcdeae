package gateway

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
)

// errorOf is the answer that a request must get.
func errorOf(code string) string { return `"code":"` + code + `"` }

func TestEachBadRequestGetsItsErrorAndTheConnectionGoesOn(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RoomsPerConnection, o.MessagesPerMinute = 2, 0 })
	c := w.dialV1(w.tokenWith(map[string]any{"rooms": "42 7:* open", "publish": "42"}))
	for _, test := range []struct{ send, want string }{
		{`[]`, errorOf("bad_request")},
		{`null`, errorOf("bad_request")},
		{`"x"`, errorOf("bad_request")},
		{`{`, errorOf("bad_request")},
		{``, errorOf("bad_request")},
		{`{}`, errorOf("bad_request")},
		{`{"Type":"ping"}`, errorOf("bad_request")},
		{`{"type":1}`, errorOf("bad_request")},
		{`{"type":"shout","ref":1}`, `"ref":1,` + errorOf("bad_request")},
		{`{"type":"ping","ref":{}}`, errorOf("bad_request")},
		{`{"type":"ping","ref":"` + strings.Repeat("r", 65) + `"}`, errorOf("bad_request")},
		{`{"type":"ping","ref":"` + strings.Repeat("r", 64) + `"}`, `{"type":"pong","ref":"` + strings.Repeat("r", 64) + `"}`},
		{`{"type":"ping","ref":-1.5e3,"unknown":[]}`, `{"type":"pong","ref":-1.5e3}`},
		{`{"type":"subscribe","room":"a b","ref":2}`, `"ref":2,` + errorOf("bad_request")},
		{`{"type":"subscribe","room":7}`, errorOf("bad_request")},
		{`{"type":"subscribe","ref":3}`, `"ref":3,` + errorOf("bad_request")},
		{`{"type":"subscribe","room":"43","ref":"x"}`, `"ref":"x",` + errorOf("forbidden")},
		{`{"type":"subscribe","room":"7:a:b"}`, errorOf("forbidden")},
		{`{"type":"unsubscribe","room":"nowhere","ref":4}`, `{"type":"unsubscribed","room":"nowhere","ref":4}`},
		{`{"type":"publish","room":"7:a","data":1,"ref":5}`, `"ref":5,` + errorOf("forbidden")},
		{`{"type":"publish","room":"42","ref":6}`, `"ref":6,` + errorOf("bad_request")},
		{`{"type":"auth","ref":7}`, `"ref":7,` + errorOf("bad_request")},
		{`{"type":"auth","token":"junk","ref":8}`, `"ref":8,` + errorOf("unauthorized")},
	} {
		c.SendText(test.send)
		if f := c.Next(); !strings.Contains(string(f.Payload), test.want) {
			t.Fatalf("sent %.80s: got %v, want %s", test.send, f, test.want)
		}
	}
	// It is in 42 and open: the limit of two rooms is reached.
	c.SendText(`{"type":"subscribe","room":"7:a","ref":9}`)
	if f := c.Next(); !strings.Contains(string(f.Payload), errorOf("too_many_rooms")) {
		t.Fatalf("third room: got %v", f)
	}
	c.SendText(`{"type":"unsubscribe","room":"open"}`)
	c.WantType("unsubscribed")
	c.SendText(`{"type":"subscribe","room":"7:a","ref":9}`)
	c.WantText(`{"type":"subscribed","room":"7:a","ref":9}`)
}

func TestPublishReachesTheRoomAndIsConfirmed(t *testing.T) {
	w := newWorld(t, nil)
	reader := w.dialRaw(w.token("42"), "42")
	c := w.dialV1(w.tokenWith(map[string]any{"publish": []string{"4*"}}))
	c.SendText(`{"type":"publish","room":"42","data":{"a": 1,"b":"<&>"},"ref":9}`)
	c.WantText(`{"type":"published","ref":9}`)
	reader.WantText(`{"a": 1,"b":"<&>"}`)
	w.rooms.fail(errDown)
	c.SendText(`{"type":"publish","room":"42","data":1,"ref":10}`)
	if e := c.WantType("error"); e["code"] != "unavailable" || e["ref"] != 10.0 {
		t.Errorf("got %v", e)
	}
}

func TestSubscribeAnswersUnavailableWhenRedisDoesNotConfirm(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SubscribeTimeout = 20 * time.Millisecond })
	c := w.dialV1(w.token("1", "2"))
	c.SendText(`{"type":"unsubscribe","room":"2"}`)
	c.WantType("unsubscribed")
	w.rooms.mu.Lock()
	w.rooms.gate = make(chan struct{})
	w.rooms.mu.Unlock()
	c.SendText(`{"type":"subscribe","room":"2","ref":1}`)
	if e := c.WantType("error"); e["code"] != "unavailable" {
		t.Errorf("got %v", e)
	}
	w.publishText("1", "on")
	c.WantType("message")
}

func TestRawClientMayPublishOnlyWithOneRoomThatAllowsIt(t *testing.T) {
	w := newWorld(t, nil)
	reader := w.dialRaw(w.token("42"), "42")
	c := w.dialRaw(w.tokenWith(map[string]any{"rooms": "42", "publish": "42"}), "42")
	c.SendText("hello")
	reader.WantText("hello")
	c.Send(2, []byte{0xff})
	if f := reader.Next(); f.Op != 2 || string(f.Payload) != "\xff" {
		t.Errorf("got %v", f)
	}
	for _, claims := range []map[string]any{
		{"rooms": "42"}, {"rooms": "42 43", "publish": "**"}, {"publish": "42"},
	} {
		c := w.dialRaw(w.tokenWith(claims))
		c.SendText("hello")
		c.WantClose(1003)
	}
}

func TestRateIsLimitedAndRepeatedExcessCloses(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute, o.MessageBurst = 100, 20 })
	c, other := w.dialV1(w.token("42")), w.dialV1(w.token("42"))
	for range 10000 { // no answer is read meanwhile: what is sent after the close fails
		if c.SendErr(1, []byte(`{"type":"subscribe","room":"42"}`)) != nil {
			break
		}
	}
	for range 20 {
		c.WantType("subscribed")
	}
	for range 20 {
		if e := c.WantType("error"); e["code"] != "rate_limited" {
			t.Fatalf("got %v", e)
		}
	}
	if f := c.Next(); f.CloseCode() != 4101 {
		t.Fatalf("got %v, want close 4101", f)
	}
	w.publishText("42", "on")
	other.WantType("message")
	if got := strings.Count(w.logs.String(), `"reason":"messages_per_minute"`); got == 0 || got > logRate.burst {
		t.Errorf("%d log lines, want some, and not one for each message", got)
	}
}

func TestRefreshMovesRoomsAndKeepsTheUser(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("1", "2"))
	c.SendText(`{"type":"auth","token":"` + w.tokenWith(map[string]any{"sub": "other"}) + `","ref":1}`)
	if e := c.WantType("error"); e["code"] != "unauthorized" {
		t.Errorf("another sub: got %v", e)
	}
	exp := time.Now().Add(2 * time.Hour).Unix()
	c.SendText(`{"type":"auth","token":"` + w.tokenWith(map[string]any{"rooms": "2 3", "exp": exp}) + `","ref":2}`)
	seen := map[string]map[string]any{}
	for range 2 { // from a lane and from the connection: in either order
		f := decode(t, c.Next())
		seen[f["type"].(string)] = f
	}
	if u := seen["unsubscribed"]; u["room"] != "1" || u["code"] != "forbidden" {
		t.Errorf("lost room: got %v", seen)
	}
	if h := seen["hello"]; fmt.Sprint(h["rooms"]) != "[2]" || h["exp"] != float64(exp) || h["ref"] != 2.0 {
		t.Errorf("hello: got %v", h)
	}
	w.publishText("1", "no")
	w.publishText("2", "2")
	c.WantText(`{"type":"message","room":"2","data":2}`)
	c.SendText(`{"type":"subscribe","room":"3"}`)
	c.WantType("subscribed")
}

func TestFirstMessageMustBeAuth(t *testing.T) {
	w := newWorld(t, nil)
	for send, code := range map[string]int{
		`{"type":"subscribe","room":"42"}`:                4001,
		`{"type":"auth","token":"junk"}`:                  4002,
		`{"type":"auth","token":"` + w.token("43") + `"}`: 4003,
	} {
		c := w.dialUnauthorized("?room=42")
		c.SendText(send)
		c.WantClose(code)
	}
}

// panickingTokens are verified by a bug.
type panickingTokens struct{ Tokens }

func (p panickingTokens) Verify(ctx context.Context, token string) (*auth.Grant, error) {
	if token == "bug" {
		panic("a bug")
	}
	return p.Tokens.Verify(ctx, token)
}

func TestPanicEndsItsOwnConnectionWith1011(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Tokens = panickingTokens{o.Tokens} })
	c, other := w.dialV1(w.token("42")), w.dialV1(w.token("42"))
	c.SendText(`{"type":"auth","token":"bug"}`)
	c.WantClose(1011)
	w.publishText("42", "1")
	other.WantType("message")
	w.await("freed", func() bool { return w.Connections() == 1 && w.members("42") == 1 })
}
