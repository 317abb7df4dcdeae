package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

// neighbourOf returns a room of the same lane.
func (w *world) neighbourOf(room string) string {
	for i := 0; ; i++ {
		if name := fmt.Sprint("o", i); w.laneOf(name) == w.laneOf(room) {
			return name
		}
	}
}

// dialLarge connects so many clients to a room that it is sent to beside its lane. The one that it returns speaks
// roomgate.v1, and stands between the first quarter and the middle of its members.
func (w *world) dialLarge(room string) (c *wstest.Client) {
	w.t.Helper()
	for i := range largeRoom {
		if i == largeRoom*3/8 {
			w.await("all before joined", func() bool { return w.members(room) == i })
			c = w.dialV1(w.token(room))
		}
		wstest.Dial(w.t, w.url, "Authorization: Bearer "+w.token(room))
	}
	w.await("all joined", func() bool { return w.members(room) == largeRoom+1 })
	return c
}

// holdSending stops whoever sends to a room, at one of its silent members, until the returned function is called.
func (w *world) holdSending(room string) (release func()) { return w.holdSendingAt(room, largeRoom/2) }

// holdSendingAt is holdSending at the member that stands there in the room.
func (w *world) holdSendingAt(room string, member int) (release func()) {
	var held *conn
	done := make(chan struct{})
	l := w.laneOf(room)
	l.post(event{kind: eventCall, call: func() {
		defer close(done)
		held = l.rooms[room].members[member].c
	}})
	<-done
	held.out.mu.Lock()
	release = sync.OnceFunc(held.out.mu.Unlock)
	w.t.Cleanup(release)
	return release
}

func TestALargeRoomKeepsNoOtherWaitingAndItsOwnOrder(t *testing.T) {
	w := newWorld(t, nil)
	other := w.neighbourOf("42")
	first, d := w.dialLarge("42"), w.dialV1(w.token(other))
	leaver := w.dialV1(w.token("42"))
	release := w.holdSending("42")

	w.publishText("42", "1")
	first.WantText(`{"type":"message","room":"42","data":1}`) // it is being sent, and not sent to all
	w.publishText(other, "1")
	d.WantType("message")

	// What happens to the room meanwhile happens in order: a leave, a message, a join, a message.
	leaver.SendText(`{"type":"unsubscribe","room":"42"}`)
	w.await("the leave is held", func() bool { return w.heldFor("42") == 1 })
	w.publishText("42", "2")
	late := w.dialV1(w.token("42"))
	w.await("the join is held", func() bool { return w.heldFor("42") == 3 })
	w.publishText("42", "3")
	release()

	for _, n := range []int{2, 3} {
		first.WantText(fmt.Sprintf(`{"type":"message","room":"42","data":%d}`, n))
	}
	late.WantText(`{"type":"message","room":"42","data":3}`)
	leaver.WantType("message")
	leaver.WantType("unsubscribed")
	w.publishText("42", "4")
	late.WantText(`{"type":"message","room":"42","data":4}`)
	first.WantText(`{"type":"message","room":"42","data":4}`)
}

func TestALargeRoomThatFallsBehindGetsAGapAndItsNeighbourNone(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MailboxBytes = 8000 })
	other := w.neighbourOf("42")
	first, d := w.dialLarge("42"), w.dialV1(w.token(other))
	leaver := w.dialV1(w.token("42"))
	release := w.holdSending("42")
	for n := range 100 {
		w.publishText("42", "%d", n)
		w.publishText(other, "%d", n)
		d.WantText(fmt.Sprintf(`{"type":"message","room":%q,"data":%d}`, other, n))
	}
	leaver.SendText(`{"type":"unsubscribe","room":"42"}`)
	w.await("the leave is held", func() bool { return w.heldOf("42", eventLeave) == 1 })
	release()

	for _, c := range []*wstest.Client{first, leaver} {
		n := 0
		m := decode(t, c.Next())
		for ; m["type"] == "message"; m = decode(t, c.Next()) {
			if m["data"] != float64(n) {
				t.Fatalf("got %v, want %d: messages before the gap are in order, none missing", m, n)
			}
			n++
		}
		if m["type"] != "gap" || m["room"] != "42" || m["reason"] != "overload" {
			t.Fatalf("after %d messages got %v, want a gap", n, m)
		}
		if n == 0 || n == 100 {
			t.Errorf("%d of 100 messages before the gap: want some", n)
		}
	}
	leaver.WantType("unsubscribed")
	w.await("a line of log", func() bool { return strings.Contains(w.logs.String(), `"event":"overload","rooms":1`) })
	w.publishText("42", `"on"`)
	first.WantText(`{"type":"message","room":"42","data":"on"}`)
}

func TestTheGatewayEndsWhileALargeRoomIsSentTo(t *testing.T) {
	w := newWorld(t, nil)
	w.dialLarge("42")
	release := w.holdSending("42")
	w.await("messages are held", func() bool {
		w.publishText("42", "1")
		return w.heldFor("42") > 0
	})
	release() // and the world ends at once
}

func TestALaneThatRestsHasRoomWhateverALargeRoomWasSent(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MailboxBytes = 8000 })
	other := w.neighbourOf("42")
	first, d := w.dialLarge("42"), w.dialV1(w.token(other))
	for n := range 3 {
		w.publishText("42", "%q", strings.Repeat("x", 5000)) // more than there is for messages that wait
		first.WantType("message")
		w.await("all are sent to", func() bool { return !w.busy("42") })
		w.publishText(other, "%d", n)
		d.WantText(fmt.Sprintf(`{"type":"message","room":%q,"data":%d}`, other, n))
	}
}

func TestALargeRoomThatIsAlwaysBehindTakesNothingFromItsNeighbour(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MailboxBytes = 8000 })
	other := w.neighbourOf("42")
	first, d := w.dialLarge("42"), w.dialV1(w.token(other))
	fill := func() {
		for n := counterValue(t, w.metrics.shed); counterValue(t, w.metrics.shed) == n; {
			w.publishText("42", "%q", strings.Repeat("x", 240))
			w.busy("42") // the mailbox is empty again
		}
	}
	release := w.holdSending("42")
	w.publishText("42", "0")
	first.WantType("message") // whoever sends is beyond the first quarter
	fill()
	again := w.holdSendingAt("42", largeRoom/4) // of the next, which is all that has waited
	release()
	w.await("what has waited is being sent", func() bool { return w.busy("42") && w.heldFor("42") == 1 }) // the gap
	fill()
	for n := range 30 {
		w.publishText(other, "%d", n)
		d.WantText(fmt.Sprintf(`{"type":"message","room":%q,"data":%d}`, other, n))
	}
	again()
}

func TestWhoIsJoiningALargeRoomIsDisconnectedWithIt(t *testing.T) {
	w := newWorld(t, nil)
	w.dialLarge("42")
	release := w.holdSending("42")
	w.publishText("42", "1")
	w.await("it is being sent to", func() bool { return w.busy("42") })
	w.dialV1(w.token("42"))
	w.await("the join is held", func() bool { return w.heldOf("42", eventJoin) == 1 })
	found := make(chan int)
	go func() { found <- len(w.candidates(selector{Room: "42"})) }()
	w.await("the command is held", func() bool { return w.heldOf("42", eventCall) == 1 })
	release()
	if n := <-found; n != largeRoom+2 {
		t.Errorf("the command meets %d members, want %d", n, largeRoom+2)
	}
}

// busy reports whether a room is being sent to beside its lane.
func (w *world) busy(room string) (busy bool) {
	done := make(chan struct{})
	l := w.laneOf(room)
	l.post(event{kind: eventCall, call: func() {
		defer close(done)
		busy = l.rooms[room].busy
	}})
	<-done
	return busy
}

// heldFor is how many events are held for a room until it has been sent to.
func (w *world) heldFor(room string) int { return len(w.heldKinds(room)) }

// heldOf is how many of them are of a kind.
func (w *world) heldOf(room string, kind eventKind) (n int) {
	for _, k := range w.heldKinds(room) {
		if k == kind {
			n++
		}
	}
	return n
}

// heldKinds is the kinds of what is held for a room.
func (w *world) heldKinds(room string) (kinds []eventKind) {
	done := make(chan struct{})
	l := w.laneOf(room)
	l.post(event{kind: eventCall, call: func() {
		defer close(done)
		for _, e := range l.rooms[room].backlog {
			kinds = append(kinds, e.kind)
		}
	}})
	<-done
	return kinds
}
