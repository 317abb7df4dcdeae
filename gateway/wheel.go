package gateway

import (
	"sync"
	"time"
)

// A wheel visits every connection when something is due for it, without a timer each: a ring
// of slots, one a tick, each a list of the connections to visit then. What is due beyond the
// ring's span is looked at early and put back.
type wheel struct {
	mu    sync.Mutex // guards what follows and every connection's wheelSlot
	slots [wheelSlots]*conn
	at    int64 // ticks since the gateway's start that have been visited
}

const (
	wheelTick  = 100 * time.Millisecond // how late a visit may be
	wheelSlots = 512                    // 51.2 s in all: longer than between two heartbeats
)

// A wheelSlot is where a connection stands in the wheel.
type wheelSlot struct {
	next, prev *conn
	index      int32 // of its slot, if state is waiting
	state      wheelState
	sooner     int64 // while visited: when somebody wants it next; 0: nobody does
}

type wheelState uint8

const (
	wheelOut      wheelState = iota // not in the wheel, or not yet
	wheelWaiting                    // in a slot
	wheelVisiting                   // between slots
	wheelRemoved                    // for good
)

// schedule makes sure that c is visited at the time due (on the gateway's clock) or before.
func (w *wheel) schedule(c *conn, due int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch c.slot.state {
	case wheelVisiting:
		if c.slot.sooner == 0 || due < c.slot.sooner {
			c.slot.sooner = due
		}
	case wheelWaiting:
		if w.tickOf(due) < w.tickOfSlot(c.slot.index) {
			w.unlink(c)
			w.insert(c, due)
		}
	case wheelOut:
		w.insert(c, due)
	}
}

// remove takes c out for good.
func (w *wheel) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.slot.state == wheelWaiting {
		w.unlink(c)
	}
	c.slot.state = wheelRemoved
}

// advance visits all that is due by now. One goroutine calls it. visit returns when the
// connection wants to be visited next.
func (w *wheel) advance(now int64, visit func(c *conn, now int64) int64) {
	for target := now / int64(wheelTick); ; {
		w.mu.Lock()
		if w.at >= target {
			w.mu.Unlock()
			return
		}
		w.at++
		list := w.slots[w.at%wheelSlots]
		w.slots[w.at%wheelSlots] = nil
		for c := list; c != nil; c = c.slot.next {
			c.slot.state = wheelVisiting
		}
		w.mu.Unlock()
		w.visitAll(list, now, visit)
	}
}

// visitAll visits a list that was taken out of its slot, and puts it back where it is due next.
func (w *wheel) visitAll(list *conn, now int64, visit func(c *conn, now int64) int64) {
	for c := list; c != nil; {
		due := visit(c, now)
		w.mu.Lock()
		next := c.slot.next // visited connections are linked by nobody else: remove only marks them
		c.slot.next, c.slot.prev = nil, nil
		if c.slot.state == wheelVisiting {
			if s := c.slot.sooner; s != 0 {
				due = min(due, s)
			}
			w.insert(c, due)
		}
		w.mu.Unlock()
		c = next
	}
}

// insert puts c into the slot for due. w.mu is held.
func (w *wheel) insert(c *conn, due int64) {
	i := w.tickOf(due) % wheelSlots
	head := w.slots[i]
	c.slot = wheelSlot{next: head, index: int32(i), state: wheelWaiting}
	if head != nil {
		head.slot.prev = c
	}
	w.slots[i] = c
}

// unlink takes c out of its slot. w.mu is held.
func (w *wheel) unlink(c *conn) {
	s := &c.slot
	if s.next != nil {
		s.next.slot.prev = s.prev
	}
	if s.prev != nil {
		s.prev.slot.next = s.next
	} else {
		w.slots[s.index] = s.next
	}
	s.next, s.prev = nil, nil
}

// tickOf returns the tick that visits what is due then: not before it, not in the past, and
// not beyond the ring. w.mu is held.
func (w *wheel) tickOf(due int64) int64 {
	tick := (due + int64(wheelTick) - 1) / int64(wheelTick)
	return min(max(tick, w.at+1), w.at+wheelSlots-1)
}

// tickOfSlot returns when slot i is visited next. w.mu is held.
func (w *wheel) tickOfSlot(i int32) int64 {
	d := (int64(i) - w.at) % wheelSlots
	if d <= 0 {
		d += wheelSlots
	}
	return w.at + d
}
