package pubsub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A fakeLink answers as Redis does, one window at a time, and knows what is subscribed.
type fakeLink struct {
	rs         *rooms
	p          *part
	serves     func(name string) bool // whether the slot is here; nil: all are
	forbidden  map[string]bool
	subscribed map[string]bool
	gaps       map[string]int
	unasked    []string // what Redis has unsubscribed and the link has not read
	batch      []*room  // under way
	leaving    bool     // batch is to leave
}

// step sends the next command, or answers the one under way, after what Redis said before.
func (l *fakeLink) step(now time.Time) {
	for _, name := range l.unasked {
		l.rs.unsubscribed(l.p, prefix+name, now)
	}
	l.unasked = nil
	if l.batch == nil {
		l.rs.nextDue(l.p, now)
		if l.batch, _ = l.rs.takeJoins(l.p, 2); l.batch == nil {
			l.batch = l.rs.takeLeaves(l.p, now, 2)
			l.leaving = l.batch != nil
		}
		return
	}
	for _, rm := range l.batch {
		name := l.rs.name(rm)
		switch {
		case l.leaving:
			delete(l.subscribed, name)
			l.rs.confirmLeave(l.p, rm)
		case l.serves != nil && !l.serves(name):
			l.rs.postpone(rm, now)
		case l.forbidden[name]:
			if l.rs.refuse(rm, errors.New("NOPERM"), now) {
				l.gaps[name]++
			}
		default:
			l.subscribed[name] = true
			if l.rs.owedGap(rm) {
				l.gaps[name]++
			}
			l.rs.confirmJoin(rm, now)
		}
	}
	l.batch, l.leaving = nil, false
}

// evict is a slot that moves away.
func (l *fakeLink) evict(name string) {
	if l.subscribed[name] {
		delete(l.subscribed, name)
		l.unasked = append(l.unasked, name)
	}
}

func (l *fakeLink) lose() {
	l.batch, l.leaving, l.unasked = nil, false, nil
	clear(l.subscribed)
	l.rs.lose(l.p)
}

// A waiter is a Subscribe that has not returned.
type waiter struct {
	room string
	c    *confirmation
}

func (w waiter) done() bool {
	select {
	case <-w.c.done:
		return true
	default:
		return false
	}
}

// Whatever the order of calls, answers and losses: the books hold; a holder's room is subscribed,
// or a gap is owed to it; and at rest exactly the held rooms are subscribed.
func TestTheBooksHoldInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		if err := anyOrder(rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func anyOrder(rnd *rand.Rand) error {
	now := time.Unix(0, 0)
	p := newPart("", time.Second)
	rs := newRooms(prefix, 5*time.Second, p)
	l := &fakeLink{rs: rs, p: p, forbidden: map[string]bool{"r0": true}, subscribed: map[string]bool{}, gaps: map[string]int{}}
	held := map[string]int{}
	var waiting []waiter
	settle := func() { // Subscribe calls return
		still := waiting[:0]
		for _, w := range waiting {
			if !w.done() {
				still = append(still, w)
			} else if w.c.err == nil {
				held[w.room]++
			}
		}
		waiting = still
	}
	for step := range 400 {
		name := fmt.Sprintf("r%d", rnd.IntN(6))
		switch op := rnd.IntN(20); {
		case op < 5:
			if c, _ := rs.hold(name); c != nil {
				waiting = append(waiting, waiter{name, c})
			} else {
				held[name]++
			}
		case op < 8:
			if ok := rs.drop(name, now); ok != (held[name] > 0) {
				return fmt.Errorf("step %d: drop of %s, held %d times: %v", step, name, held[name], ok)
			} else if ok {
				held[name]--
			}
		case op < 10 && len(waiting) > 0:
			i := rnd.IntN(len(waiting))
			if rs.giveUp(waiting[i].room, waiting[i].c, now) {
				waiting = append(waiting[:i], waiting[i+1:]...)
			}
		case op < 11:
			l.lose()
		case op < 12:
			l.forbidden["r1"] = !l.forbidden["r1"]
		case op < 14:
			now = now.Add(time.Duration(rnd.IntN(7)) * time.Second)
		default:
			l.step(now)
		}
		settle()
		if err := rs.check(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		for name, n := range held {
			rm := rs.byName[name]
			if n > 0 && !l.subscribed[name] && !rm.lost {
				return fmt.Errorf("step %d: %s is held, not subscribed, and owed no gap", step, name)
			}
		}
	}
	clear(l.forbidden)
	for range 100 {
		now = now.Add(time.Minute)
		l.step(now)
		settle()
	}
	if len(waiting) > 0 {
		return fmt.Errorf("%d Subscribe calls never return", len(waiting))
	}
	for i := range 6 {
		name := fmt.Sprintf("r%d", i)
		if l.subscribed[name] != (held[name] > 0) {
			return fmt.Errorf("at rest %s is held %d times, subscribed %v", name, held[name], l.subscribed[name])
		}
		if (rs.byName[name] != nil) != (held[name] > 0) {
			return fmt.Errorf("at rest %s is held %d times, known %v", name, held[name], rs.byName[name] != nil)
		}
	}
	return rs.check()
}

// Clients come and go while Redis is away, each to a room of its own.
func TestRoomsThatAreGivenUpWithoutALinkLeaveTheBooksEmpty(t *testing.T) {
	const n = 10_000
	p := newPart("", time.Second)
	rs := newRooms(prefix, time.Second, p)
	now := time.Unix(0, 0)
	hold := func(i int) *confirmation {
		c, err := rs.hold(fmt.Sprint(i))
		if c == nil || err != nil {
			t.Fatalf("hold = %v, %v, want what to wait for", c, err)
		}
		return c
	}
	giveUp := func(i int, c *confirmation) {
		if !rs.giveUp(fmt.Sprint(i), c, now) {
			t.Fatalf("room %d was answered", i)
		}
	}
	check := func(what string) {
		t.Helper()
		if err := rs.check(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := rs.len(); got != 0 || p.todo != nil {
			t.Errorf("%s: %d rooms are known and %d queued, want none", what, got, len(p.todo))
		}
	}
	for i := range n {
		giveUp(i, hold(i))
	}
	check("one after the other")
	waiting := make([]*confirmation, n)
	for i := range n {
		waiting[i] = hold(i)
	}
	for _, i := range rand.Perm(n) {
		giveUp(i, waiting[i])
	}
	check("all at once")
	// Some are wanted again, and only those are left.
	for i := range n {
		waiting[i] = hold(i)
	}
	for i := range n / 3 {
		giveUp(i, waiting[i])
	}
	for i := range 10 {
		waiting[i] = hold(i)
	}
	for i := range n {
		if i < 10 || i >= n/3 {
			giveUp(i, waiting[i])
		}
	}
	check("after some came back")
}

func TestAGapOnALinkThatStaysIsForRoomsThatAreHeldAndJoinedThere(t *testing.T) {
	p, other := newPart("", time.Minute), newPart("a:1", time.Minute)
	rs := newRooms("", time.Second, p)
	for name, rm := range map[string]*room{
		"held":         {home: p, state: joined, count: 1},
		"idle":         {home: p, state: joined},
		"being joined": {home: p, state: joining, count: 1},
		"elsewhere":    {home: other, state: joined, count: 1},
	} {
		rm.channel = name
		rs.byName[name] = rm
	}
	if got := channels(rs.heldAt(p)); !slices.Equal(got, []string{"held"}) {
		t.Errorf("a gap is for %q, want the one that is held and joined there", got)
	}
}
