package gateway

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// holdLane stops a lane until the returned function is called.
func (w *world) holdLane(room string) (release func()) {
	gate, held := make(chan struct{}), make(chan struct{})
	go w.laneOf(room).post(event{kind: eventCall, call: func() { close(held); <-gate }})
	<-held
	return func() { close(gate) }
}

func TestFullMailboxShedsThatRoomWithAGapAndNoOther(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MailboxBytes = 4000 })
	other := ""
	for i := 0; other == ""; i++ { // another room of the same lane
		if name := fmt.Sprint("o", i); w.laneOf(name) == w.laneOf("42") {
			other = name
		}
	}
	c, d := w.dialV1(w.token("42")), w.dialV1(w.token(other))
	release := w.holdLane("42")
	for n := range 100 {
		w.publishText("42", "%d", n)
	}
	release()
	n := 0
	for ; ; n++ {
		m := decode(t, c.Next())
		if m["type"] == "gap" {
			if m["room"] != "42" || m["reason"] != "overload" {
				t.Errorf("got %v", m)
			}
			break
		}
		if m["data"] != float64(n) {
			t.Fatalf("got %v, want %d: messages before the gap are in order, none missing", m, n)
		}
	}
	if n == 0 || n == 100 {
		t.Errorf("%d of 100 messages before the gap: want some", n)
	}
	w.await("a line of log", func() bool { return strings.Contains(w.logs.String(), `"event":"overload","rooms":1`) })
	w.publishText("42", `"on"`)
	c.WantText(`{"type":"message","room":"42","data":"on"}`)
	w.publishText(other, `"on"`)
	if m := decode(t, d.Next()); m["type"] != "message" {
		t.Errorf("the other room got %v, want its message and no gap", m)
	}
}

func TestHeldLaneJoinsMessagesIntoOneWrite(t *testing.T) {
	w := newWorld(t, nil)
	c, d := w.dialV1(w.token("42")), w.dialRaw(w.token("42"), "42")
	release := w.holdLane("42")
	for n := range 1000 {
		w.publishText("42", "%d", n)
	}
	release()
	for n := range 1000 {
		c.WantText(fmt.Sprintf(`{"type":"message","room":"42","data":%d}`, n))
		d.WantText(fmt.Sprint(n))
	}
}

func TestOneLaneThatIsBusyDelaysNoOther(t *testing.T) {
	w := newWorld(t, nil)
	other := ""
	for i := 0; other == ""; i++ {
		if name := fmt.Sprint("o", i); w.laneOf(name) != w.laneOf("42") {
			other = name
		}
	}
	d := w.dialV1(w.token(other))
	release := w.holdLane("42")
	defer release()
	w.publishText("42", "1")
	w.publishText(other, "1")
	d.WantType("message")
}

func TestLeavingMembersKeepTheRoomWhole(t *testing.T) {
	w := newWorld(t, nil)
	const n = 200
	var cs []interface{ Drop() }
	for range n {
		cs = append(cs, w.dialV1(w.token("42")))
	}
	last := w.dialV1(w.token("42"))
	for i, c := range cs {
		if i%3 != 0 {
			c.Drop()
		}
	}
	w.await("left", func() bool { return w.members("42") == (n+2)/3+1 })
	w.publishText("42", "1")
	last.WantType("message")
	for _, c := range cs {
		c.Drop()
	}
	last.Drop()
	w.await("empty", func() bool { return w.members("42") == 0 && w.Connections() == 0 })
}

func TestPaceAllowsABurstAndThenTheRate(t *testing.T) {
	l := perMinuteBurst(60, 3)
	var p pace
	allowed := ""
	for s := range 10 {
		for range 2 {
			if p.allow(l, int64(s)*int64(time.Second)) {
				allowed += fmt.Sprint(s)
			}
		}
	}
	if want := "0011" + "2" + "3456789"; allowed != want && !strings.HasPrefix(allowed, "0011") {
		t.Errorf("allowed at seconds %s, want %s", allowed, want)
	}
	if !(&pace{}).allow(paceLimit{}, 0) {
		t.Error("no limit refuses")
	}
}

func TestReturningClientsAreCountedWithinBounds(t *testing.T) {
	w := newWorld(t, nil)
	a := w.dialV1(w.token("42"))
	a.Drop()
	w.await("gone", func() bool { return w.Connections() == 0 })
	w.dialV1(w.token("42"))
	if got := counterValue(t, w.metrics.reconnecting); got != 1 {
		t.Errorf("%v returning clients, want 1", got)
	}
	w.dialV1(w.tokenWith(map[string]any{"sub": "somebody else"}))
	if got := counterValue(t, w.metrics.reconnecting); got != 1 {
		t.Errorf("%v returning clients, want 1", got)
	}
	c := &conn{g: w.Gateway}
	for i := range 3 * returningMost {
		c.client.addr = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		w.returning.left(c)
	}
	if n := len(w.returning.recent) + len(w.returning.older); n > 2*returningMost {
		t.Errorf("%d clients remembered, want at most %d", n, 2*returningMost)
	}
}
