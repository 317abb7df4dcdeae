package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

func TestPublishedPayloadReachesRawMembersByteForByte(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialRaw(w.token("42"), "42")
	for _, payload := range []string{`{"text":"hi"}`, "", "plain", " { } ", "\x00\x01", strings.Repeat("x", 200), strings.Repeat("y", 70000), "\xff\xfe"} {
		w.publishText("42", "%s", payload)
		op := byte(wstest.Text)
		if payload == "\xff\xfe" {
			op = wstest.Binary
		}
		if f := c.Next(); f.Op != op || string(f.Payload) != payload {
			t.Fatalf("published %.40q: got %.60v", payload, f)
		}
	}
}

func TestV1FrameSaysHowThePayloadIsCarried(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	for payload, want := range map[string]string{
		`{"text":"hi"}`:    `{"type":"message","room":"42","data":{"text":"hi"}}`,
		` [1,  2] `:        `{"type":"message","room":"42","data": [1,  2] }`,
		`null`:             `{"type":"message","room":"42","data":null}`,
		`hi "there" <b>`:   `{"type":"message","room":"42","text":"hi \"there\" <b>"}`,
		``:                 `{"type":"message","room":"42","text":""}`,
		"\xff\xfe":         `{"type":"message","room":"42","base64":"//4="}`,
		"{\"a\":\"\xff\"}": `{"type":"message","room":"42","base64":"eyJhIjoi/yJ9"}`,
		`{"unfinished":`:   `{"type":"message","room":"42","text":"{\"unfinished\":"}`,
	} {
		w.publishText("42", "%s", payload)
		c.WantText(want)
	}
}

func TestMessagesOfARoomArriveInOrderAndOnlyThere(t *testing.T) {
	w := newWorld(t, nil)
	const rooms, members, messages = 8, 5, 200
	var clients []*wstest.Client
	for i := range rooms * members {
		room := fmt.Sprint("r", i%rooms)
		if i%2 == 0 {
			clients = append(clients, w.dialRaw(w.token(room), room))
		} else {
			clients = append(clients, w.dialV1(w.token(room)))
		}
	}
	for n := range messages {
		for r := range rooms {
			w.publishText(fmt.Sprint("r", r), "%d", n)
		}
	}
	for i, c := range clients {
		for n := range messages {
			if i%2 == 0 {
				c.WantText(fmt.Sprint(n))
			} else {
				c.WantText(fmt.Sprintf(`{"type":"message","room":"r%d","data":%d}`, i%rooms, n))
			}
		}
	}
}

func TestHelloNamesConnectionUserRoomsAndExpiry(t *testing.T) {
	w := newWorld(t, nil)
	c := wstest.Dial(t, w.url+"/chat?room=a&room=b", "Sec-WebSocket-Protocol: bearer."+w.tokenWith(map[string]any{"rooms": []string{"**"}, "exp": 4102444800})+", roomgate.v1")
	hello := c.WantType("hello")
	if got := fmt.Sprint(hello["rooms"]); got != "[a b]" {
		t.Errorf("rooms: got %v, want [a b]", got)
	}
	if hello["v"] != 1.0 || hello["sub"] != "u1" || hello["exp"] != 4102444800.0 || hello["ping"] != 30.0 || len(hello["conn"].(string)) != 16 {
		t.Errorf("got %v", hello)
	}
	if got := c.Response.Header.Get("Sec-WebSocket-Protocol"); got != "roomgate.v1" {
		t.Errorf("selected subprotocol %q, want roomgate.v1", got)
	}
}

func TestHelloStandsBeforeTheFirstMessage(t *testing.T) {
	w := newWorld(t, nil)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				_ = w.rooms.Publish(t.Context(), fmt.Sprint("r", n%3), []byte("1"))
			}
		}
	}()
	for range 50 {
		c := w.dialV1(w.token("r0", "r1", "r2")) // expects hello first
		c.WantType("message")
		c.Drop()
	}
	close(stop)
	<-done
}

func TestSubscribedAndUnsubscribedStandInPlace(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute = 0 })
	c := w.dialV1(w.tokenWith(map[string]any{"rooms": []string{"**"}}))
	for n := range 50 {
		c.SendText(fmt.Sprintf(`{"type":"subscribe","room":"x","ref":%d}`, n))
		c.WantText(fmt.Sprintf(`{"type":"subscribed","room":"x","ref":%d}`, n))
		w.publishText("x", "%d", n)
		c.WantText(fmt.Sprintf(`{"type":"message","room":"x","data":%d}`, n))
		c.SendText(`{"type":"unsubscribe","room":"x","ref":"r"}`)
		c.WantText(`{"type":"unsubscribed","room":"x","ref":"r"}`)
		w.publishText("x", "%d", -n) // must not arrive
	}
}

func TestAnOpenConnectionThatIsIdleIsParkedAndWakes(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	for range 3 {
		w.await("parked", func() bool {
			all := w.all()
			return len(all) == 1 && all[0].parked.Load()
		})
		c.SendText(`{"type":"ping","ref":1}`)
		c.WantText(`{"type":"pong","ref":1}`)
	}
}
