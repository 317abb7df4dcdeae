package pubsub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// A fakeCluster is masters that own rooms, and a table that may be old.
type fakeCluster struct {
	rs      *rooms
	nowhere *part
	links   []*fakeLink
	owner   map[string]int // of links; missing: nobody
}

func newFakeCluster(masters int) *fakeCluster {
	nowhere := newPart("none", time.Second)
	c := &fakeCluster{nowhere: nowhere, rs: newRooms(prefix, 5*time.Second, nowhere), owner: map[string]int{}}
	forbidden, gaps := map[string]bool{"r0": true}, map[string]int{}
	for i := range masters {
		p := newPart(fmt.Sprint("m", i), time.Second)
		c.rs.addPart(p)
		serves := func(name string) bool {
			owner, owned := c.owner[name]
			return owned && owner == i
		}
		c.links = append(c.links, &fakeLink{rs: c.rs, p: p, serves: serves, forbidden: forbidden, subscribed: map[string]bool{}, gaps: gaps})
	}
	return c
}

// move gives a room to another master, or to nobody.
func (c *fakeCluster) move(name string, to int) {
	if from, owned := c.owner[name]; owned && from != to {
		c.links[from].evict(name)
	}
	if c.owner[name] = to; to == len(c.links) {
		delete(c.owner, name)
	}
}

// look makes the books go by who owns what now.
func (c *fakeCluster) look() {
	owner := maps.Clone(c.owner)
	c.rs.rehome(func(channel string) *part {
		if i, owned := owner[channel[len(prefix):]]; owned {
			return c.links[i].p
		}
		return c.nowhere
	})
}

// subscribedAt is at how many masters the room is subscribed.
func (c *fakeCluster) subscribedAt(name string) (n int) {
	for _, l := range c.links {
		if l.subscribed[name] {
			n++
		}
	}
	return n
}

// Whatever the order of calls, answers, losses, moves of slots and looks at the table: the books hold; a room is
// never subscribed at two masters; a holder's room is subscribed, or a gap is owed to it, or will be once the link
// has read what Redis said; and at rest exactly the held rooms are subscribed, where they belong.
func TestTheBooksHoldHoweverSlotsMove(t *testing.T) {
	first := rand.Uint64()
	for seed := first; seed < first+300; seed++ {
		if err := anyMoves(rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func anyMoves(rnd *rand.Rand) error {
	now := time.Unix(0, 0)
	c := newFakeCluster(3)
	rs := c.rs
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
	for step := range 500 {
		name := fmt.Sprintf("r%d", rnd.IntN(6))
		l := c.links[rnd.IntN(len(c.links))]
		switch op := rnd.IntN(30); {
		case op < 5:
			if conf, _ := rs.hold(name); conf != nil {
				waiting = append(waiting, waiter{name, conf})
			} else {
				held[name]++
			}
		case op < 8:
			if ok := rs.drop(name, now); ok != (held[name] > 0) {
				return fmt.Errorf("step %d: drop of %s, held %d times: %v", step, name, held[name], ok)
			} else if ok {
				held[name]--
			}
		case op < 9 && len(waiting) > 0:
			i := rnd.IntN(len(waiting))
			if rs.giveUp(waiting[i].room, waiting[i].c, now) {
				waiting = append(waiting[:i], waiting[i+1:]...)
			}
		case op < 10:
			l.lose()
		case op < 11:
			l.forbidden["r1"] = !l.forbidden["r1"]
		case op < 13:
			now = now.Add(time.Duration(rnd.IntN(7000)) * time.Millisecond)
		case op < 16:
			c.move(name, rnd.IntN(len(c.links)+1))
		case op < 18:
			c.look()
		default:
			l.step(now)
		}
		settle()
		if err := rs.check(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		for name, n := range held {
			at := c.subscribedAt(name)
			if at > 1 {
				return fmt.Errorf("step %d: %s is subscribed at %d masters", step, name, at)
			}
			if rm := rs.byName[name]; n > 0 && at == 0 && !rm.lost && !c.unread(name) {
				return fmt.Errorf("step %d: %s is held, not subscribed, and owed no gap", step, name)
			}
		}
	}
	for i := range 6 {
		if name := fmt.Sprintf("r%d", i); c.subscribedAt(name) == 0 {
			c.move(name, i%len(c.links))
		}
	}
	clear(c.links[0].forbidden)
	c.look()
	for range 100 {
		now = now.Add(time.Minute)
		for _, l := range c.links {
			l.step(now)
		}
		settle()
	}
	if len(waiting) > 0 {
		return fmt.Errorf("%d Subscribe calls never return", len(waiting))
	}
	for i := range 6 {
		name := fmt.Sprintf("r%d", i)
		owner := c.links[c.owner[name]]
		if want := min(held[name], 1); c.subscribedAt(name) != want || owner.subscribed[name] != (want == 1) {
			return fmt.Errorf("at rest %s is held %d times, subscribed at %d masters, at its own %v", name, held[name], c.subscribedAt(name), owner.subscribed[name])
		}
		if (rs.byName[name] != nil) != (held[name] > 0) {
			return fmt.Errorf("at rest %s is held %d times, known %v", name, held[name], rs.byName[name] != nil)
		}
	}
	return rs.check()
}

// unread reports whether a link has yet to read that name is unsubscribed.
func (c *fakeCluster) unread(name string) bool {
	for _, l := range c.links {
		for _, n := range l.unasked {
			if n == name {
				return true
			}
		}
	}
	return false
}

// What waits for a slot that nobody owns goes to whoever gets it, and those who wait are told nothing of it.
func TestARoomOfNobodysSlotWaitsForAnOwner(t *testing.T) {
	c := newFakeCluster(2)
	now := time.Unix(0, 0)
	conf, err := c.rs.hold("a")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		for _, l := range c.links {
			l.step(now)
		}
	}
	if (waiter{"a", conf}).done() {
		t.Fatal("confirmed by nobody")
	}
	c.move("a", 1)
	c.look()
	c.links[1].step(now)
	c.links[1].step(now)
	if !(waiter{"a", conf}).done() || conf.err != nil {
		t.Errorf("the new owner's confirmation did not arrive, or as %v", conf.err)
	}
	if err := c.rs.check(); err != nil {
		t.Error(err)
	}
}

// A MOVED that the table does not explain yet must not be answered by asking again at once.
func TestAMovedRoomIsTriedLaterOrElsewhere(t *testing.T) {
	c := newFakeCluster(2)
	now := time.Unix(0, 0)
	c.move("a", 0)
	c.look()
	c.move("a", 1) // the table is old
	conf, _ := c.rs.hold("a")
	c.links[0].step(now)
	c.links[0].step(now) // MOVED
	if due := c.rs.nextDue(c.links[0].p, now); due != now.Add(unsettledRetry) {
		t.Errorf("tried again at %v, want %v", due, now.Add(unsettledRetry))
	}
	if _, err := c.rs.hold("a"); err != nil { // one more must not hasten it
		t.Fatal(err)
	}
	if batch, _ := c.rs.takeJoins(c.links[0].p, 2); len(batch) > 0 {
		t.Error("tried again at once")
	}
	c.look()
	if due := c.rs.nextDue(c.links[1].p, now); due != now {
		t.Errorf("at its new home it is due at %v, want at once", due)
	}
	c.links[1].step(now)
	c.links[1].step(now)
	if !(waiter{"a", conf}).done() || conf.err != nil {
		t.Errorf("the new owner's confirmation did not arrive, or as %v", conf.err)
	}
}
