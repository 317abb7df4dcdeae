package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/wstest"
)

// newPipeOutbox returns an outbox to a socket that cannot be tried without waiting.
func newPipeOutbox(t *testing.T) (*outbox, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	o := &outbox{limit: 1 << 20, all: newBacklog(1 << 30), active: new(sync.WaitGroup), sock: newSocket(ours)}
	t.Cleanup(func() { _ = o.close() })
	_ = theirs.SetReadDeadline(time.Now().Add(wstest.Patience))
	return o, theirs
}

func TestFlusherThatEndsBehindACorkKeepsWhatIsHeld(t *testing.T) {
	o, theirs := newPipeOutbox(t)
	_ = o.send([]byte("pong"))
	o.cork([]byte("hello"))
	_ = o.send([]byte("message"))
	read := func(want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(theirs, b); err != nil || string(b) != want {
			t.Fatalf("got %q %v, want %q", b, err, want)
		}
	}
	read("pong")
	for o.waits() != len([]byte("hello"))+entryOverhead+len([]byte("message"))+entryOverhead {
		time.Sleep(time.Millisecond)
	}
	o.uncork()
	read("hellomessage")
}

func TestOutboxAtRestKeepsNoArray(t *testing.T) {
	o, theirs := newPipeOutbox(t)
	for range 1000 {
		_ = o.send([]byte("x"))
	}
	if _, err := io.CopyN(io.Discard, theirs, 1000); err != nil {
		t.Fatal(err)
	}
	for !o.idle() {
		time.Sleep(time.Millisecond)
	}
	if o.waiting != nil || o.held != nil {
		t.Errorf("at rest it keeps %d entries", cap(o.waiting)+cap(o.held))
	}
}

func TestTinyFramesCountAsWhatTheyCost(t *testing.T) {
	o, _ := newPipeOutbox(t)
	n := 0
	for ; o.send([]byte{0x8A, 0}) == nil; n++ {
	}
	if most := o.limit / 64; n > most+1 {
		t.Errorf("%d pongs of 2 bytes wait within a limit of %d bytes, want at most %d", n, o.limit, most)
	}
}

func TestExpiryBeyondCenturiesIsNoExpiry(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial(v1, "Authorization: Bearer "+w.tokenWith(map[string]any{"exp": 253402300799}))
		c.WantType("hello")
		if f, err := c.Read(); err != nil || f.Op != wstest.Ping {
			t.Errorf("got %v %v, want the first ping", f, err)
		}
	})
}

func TestNoMessageFollowsUnsubscribedHoweverOftenItIsAsked(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("a"))
	release := w.holdLane("a")
	w.publishText("a", `"x"`)
	for _, ref := range []string{"1", "2"} {
		c.SendText(`{"type":"unsubscribe","room":"a","ref":` + ref + `}`)
	}
	w.await("both asked", func() bool { return counterValue(t, w.metrics.clientMessages.WithLabelValues("unsubscribe")) == 2 })
	release()
	c.WantText(`{"type":"message","room":"a","data":"x"}`)
	c.WantText(`{"type":"unsubscribed","room":"a","ref":1}`)
	c.WantText(`{"type":"unsubscribed","room":"a","ref":2}`)
}

func TestWhoLeavesARoomThatWasShedHasItsGapBefore(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MailboxBytes = 200 })
	c := w.dialV1(w.token("a"))
	release := w.holdLane("a")
	for n := range 5 {
		w.publishText("a", "%d", n)
	}
	c.SendText(`{"type":"unsubscribe","room":"a"}`)
	w.await("asked", func() bool { return counterValue(t, w.metrics.clientMessages.WithLabelValues("unsubscribe")) == 1 })
	release()
	c.WantType("message")
	c.WantType("gap")
	c.WantType("unsubscribed")
}

func TestLaneAtRestKeepsNoMailboxOfABurst(t *testing.T) {
	w := newWorld(t, nil)
	l := w.laneOf("a")
	release := w.holdLane("a")
	for range 100000 {
		w.Deliver("a", []byte("x"))
	}
	release()
	w.members("a")
	w.members("a") // the second batch has replaced both arrays
	w.await("rest", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return !l.running })
	if n := cap(l.mailbox) + cap(l.batch); n > 2*4096 {
		t.Errorf("at rest it keeps room for %d events", n)
	}
}

func TestCloseFrameIsAnsweredBehindWhatIsQueued(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.OutboxBytes = 16 << 20 })
	c := w.dialRaw(w.token("42"), "42")
	payload := strings.Repeat("x", 64<<10)
	n := 0
	for ; w.backlog.owed.Load() == 0; n++ {
		w.publishText("42", "%s", payload)
	}
	c.Send(wstest.Close, []byte{0x03, 0xE8})
	for range n {
		c.WantText(payload)
	}
	if f := c.Next(); f.CloseCode() != 1000 {
		t.Errorf("got %v, want close 1000", f)
	}
	c.WantGone()
}

func TestCloseFrameIsAnsweredOnASocketThatMustWait(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial(v1, "Authorization: Bearer "+w.token("42"))
		c.WantType("hello")
		c.Send(wstest.Close, []byte{0x03, 0xE8})
		if f := c.Next(); f.CloseCode() != 1000 {
			t.Errorf("got %v, want close 1000", f)
		}
	})
}

func TestExpiringStandsBehindHello(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Expiring = time.Minute })
	gate := make(chan struct{})
	w.rooms.mu.Lock()
	w.rooms.gate = gate
	w.rooms.mu.Unlock()
	c := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+
		w.tokenWith(map[string]any{"exp": time.Now().Add(30 * time.Second).Unix(), "rooms": "a"}))
	w.await("the wheel has come by", func() bool {
		all := w.all()
		if len(all) == 0 {
			return false
		}
		w.wheel.mu.Lock()
		defer w.wheel.mu.Unlock()
		return w.wheel.at > 5 && all[0].session.Load() != nil
	})
	time.Sleep(3 * wheelTick) // for it to do what it must not: there is no condition for that
	close(gate)
	c.WantType("hello")
	c.WantType("expiring")
}

func TestEndedConnectionJoinsNothing(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialUnauthorized("?room=a")
	w.await("there", func() bool { return w.Connections() == 1 })
	x := w.all()[0]
	x.ended.Store(&endDrain)
	c.SendText(`{"type":"auth","token":"` + w.token("a") + `"}`)
	c.Send(wstest.Close, nil)
	c.WantClose(1005)
	if w.members("a") != 0 {
		t.Error("it has joined")
	}
}

// brokenTokens answers as a test tells it to.
type brokenTokens struct {
	Tokens
	broken atomic.Bool
	err    error // nil: panic
}

func (b *brokenTokens) Verify(ctx context.Context, token string) (*auth.Grant, error) {
	switch {
	case !b.broken.Load():
		return b.Tokens.Verify(ctx, token)
	case b.err == nil:
		panic("a bug")
	}
	return nil, b.err
}

func TestPanicInTheDoorGivesItsPlaceBack(t *testing.T) {
	b := &brokenTokens{}
	w := newWorld(t, func(o *Options) { b.Tokens, o.Tokens, o.Connections = o.Tokens, b, 1 })
	b.broken.Store(true)
	_, _ = wstest.Try(t, w.url, "Authorization: Bearer x") // net/http drops the connection
	b.broken.Store(false)
	w.await("its place", func() bool { return w.admitted.Load() == 0 })
	w.dialV1(w.token("42"))
}

func TestTokenThatCannotBeJudgedNowIsNotCalledBad(t *testing.T) {
	b := &brokenTokens{err: errors.New("GET https://10.0.0.5/keys?key=s3cret: connection refused")}
	w := newWorld(t, func(o *Options) { b.Tokens, o.Tokens = o.Tokens, b })
	c, pending := w.dialV1(w.token("42")), w.dialUnauthorized("")
	b.broken.Store(true)
	refused, err := wstest.Try(t, w.url+"?token=x")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(refused.Response.Body); refused.Response.StatusCode != 503 || !strings.Contains(string(body), "keys") {
		t.Errorf("got %s %s, want 503 for want of keys", refused.Response.Status, body)
	}
	pending.SendText(`{"type":"auth","token":"x"}`)
	if reason := pending.WantClose(4104); !strings.Contains(reason, "keys") {
		t.Errorf("closed with %q, want that it is for the keys", reason)
	}
	c.SendText(`{"type":"auth","token":"x","ref":1}`)
	e := c.WantType("error")
	if e["code"] != "unavailable" || strings.Contains(e["message"].(string), "10.0.0.5") {
		t.Errorf("got %v, want unavailable, and nothing of where keys come from", e)
	}
	if got := counterValue(t, w.metrics.authFailures.WithLabelValues(reasonUnavailable)); got != 3 {
		t.Errorf("%v are counted, want 3: at connect, in the first message and of a refresh", got)
	}
	w.publishText("42", "1")
	c.WantType("message")
}

func TestPingFloodIsHeldToTheMessageRateAndCloses(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute, o.MessageBurst = 60, 20 })
	c := w.dialV1(w.token("42"))
	go func() {
		for c.SendErr(wstest.Ping, nil) == nil {
		}
	}()
	pongs := 0
	for {
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op == wstest.Pong {
			pongs++
			continue
		}
		if f.CloseCode() != 4101 {
			t.Errorf("got %v, want close 4101", f)
		}
		break
	}
	if pongs < 20 || pongs > 25 {
		t.Errorf("%d pongs, want 20", pongs)
	}
}

func TestStrangersCannotFloodTheLog(t *testing.T) {
	w := newWorld(t, nil)
	for range 300 {
		c := wstest.Dial(t, w.url, "Authorization: Bearer x")
		c.WantClose(4002)
	}
	w.await("all gone", func() bool { return w.Connections() == 0 })
	if n := strings.Count(w.logs.String(), "\n"); n > 2*logRate.burst+100 {
		t.Errorf("%d lines for 300 refused connections", n)
	}
	if got := counterValue(t, w.metrics.authFailures.WithLabelValues("malformed")); got != 300 {
		t.Errorf("%v are counted, want 300", got)
	}
}
