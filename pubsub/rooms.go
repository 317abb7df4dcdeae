package pubsub

import (
	"container/list"
	"slices"
	"sync"
	"time"
)

// What Redis knows of a room, on the connection there is now.
type state uint8

const (
	absent  state = iota // not subscribed, nothing under way. With no connection, all rooms are
	joining              // SUBSCRIBE is sent, its confirmation not read yet
	joined               // confirmed
	leaving              // UNSUBSCRIBE is sent, its confirmation not read yet
)

// A room is one channel, held or waited for by somebody, or not yet left. All but channel is
// guarded by rooms.mu.
type room struct {
	channel string // prefix and name; never changes

	home    *part // whose link subscribes it; it changes only while the room is absent
	state   state
	queued  bool          // it stands in home.todo
	lost    bool          // its holders were joined on a connection that ended, and have no gap yet
	refused error         // what Redis last answered to a SUBSCRIBE of it alone; nil once it confirmed one
	count   int           // Subscribe calls that hold it or wait for it
	waiting *confirmation // of those that wait; nil if none does
	idle    *list.Element // its place in home.idle: it is joined and nobody holds it
	leaveAt time.Time     // when to leave, if idle
}

// A confirmation is what the Subscribe calls of one room wait for.
type confirmation struct {
	calls int           // waiting; guarded by rooms.mu
	done  chan struct{} // closed under rooms.mu, by whoever takes it off its room
	err   error         // set before done is closed; nil: Redis confirmed
}

// rooms counts who holds which room, and keeps with each part what remains to be told to Redis. It does
// no I/O and reads no clock, and holds its mutex for no longer than a look at a batch of rooms, but for lose, heldAt and giveBack.
type rooms struct {
	prefix     string
	leaveDelay time.Duration

	mu     sync.Mutex
	byName map[string]*room
	parts  map[*part]struct{}         // where rooms may be at home
	homeOf func(channel string) *part // where a room belongs; it is there, or will be
	closed error                      // what every Subscribe returns from now on; nil while open
}

// newRooms makes books of which only serves all rooms.
func newRooms(prefix string, leaveDelay time.Duration, only *part) *rooms {
	return &rooms{
		prefix: prefix, leaveDelay: leaveDelay, byName: make(map[string]*room),
		parts:  map[*part]struct{}{only: {}},
		homeOf: func(string) *part { return only },
	}
}

// hold counts one more Subscribe of name. It returns nil if the room is joined, else what to wait for.
func (rs *rooms) hold(name string) (*confirmation, error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed != nil {
		return nil, rs.closed
	}
	rm := rs.byName[name]
	if rm == nil {
		channel := rs.prefix + name
		rm = &room{channel: channel, home: rs.homeOf(channel)}
		rs.byName[channel[len(rs.prefix):]] = rm // one string for both
	}
	if rm.count++; rm.count == 1 && rm.queued { // it was given up and is wanted again; one that is new is not queued yet
		rm.home.given--
	}
	if rm.state == joined {
		rs.keep(rm)
		return nil, nil
	}
	if rm.state == absent && !rm.home.later.has(rm) {
		rs.queue(rm)
	}
	if rm.waiting == nil {
		rm.waiting = &confirmation{done: make(chan struct{})}
	}
	rm.waiting.calls++
	return rm.waiting, nil
}

// giveUp takes back a hold whose caller no longer waits for c. False: c was done first.
func (rs *rooms) giveUp(name string, c *confirmation, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm := rs.byName[name]
	if rm == nil || rm.waiting != c {
		return false
	}
	if c.calls--; c.calls == 0 {
		rm.waiting = nil
	}
	rs.release(rm, 1, now)
	return true
}

// drop takes back a hold that was confirmed. False: there is none, which is the caller's mistake.
func (rs *rooms) drop(name string, now time.Time) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm := rs.byName[name]
	if rm == nil || rm.holders() == 0 {
		return false
	}
	rs.release(rm, 1, now)
	return true
}

// holders is how many have been told that rm is joined.
func (rm *room) holders() int {
	if rm.waiting != nil {
		return rm.count - rm.waiting.calls
	}
	return rm.count
}

// release takes n from rm's count, and lets it go if it is the last. mu is held.
func (rs *rooms) release(rm *room, n int, now time.Time) {
	rm.count -= n
	if rm.holders() == 0 {
		rm.lost = false // nobody is left who could miss anything
	}
	if rm.count > 0 {
		return
	}
	switch {
	case rm.state == joined:
		rm.leaveAt = now.Add(rs.leaveDelay)
		rm.idle = rm.home.idle.PushBack(rm)
		rm.home.nudge()
	case rm.queued:
		rs.giveBack(rm.home)
	case rm.state == absent: // refused, or for later
		rs.forget(rm)
	}
	// Else it is under way: its confirmation finds the count at 0.
}

// giveBack counts one more room of p's queue that nobody holds, and forgets all such once they are most of it. With no
// link nobody takes them from there; one by one each would take a search. mu is held.
func (rs *rooms) giveBack(p *part) {
	if p.given++; 2*p.given <= len(p.todo) {
		return
	}
	p.todo = slices.DeleteFunc(p.todo, func(rm *room) bool {
		if rm.count > 0 {
			return false
		}
		rm.queued = false
		rs.forget(rm)
		return true
	})
	p.given = 0
	if len(p.todo) == 0 {
		p.todo = nil
	}
}

// keep takes a room that is held again off the list of those to leave. mu is held.
func (rs *rooms) keep(rm *room) {
	if rm.idle != nil {
		rm.home.idle.Remove(rm.idle)
		rm.idle = nil
	}
}

// queue has rm, which is absent, subscribed by one of the next batches. mu is held.
func (rs *rooms) queue(rm *room) {
	if !rm.queued {
		rm.unpostpone()
		rm.queued = true
		rm.home = rs.homeOf(rm.channel)
		rm.home.todo = append(rm.home.todo, rm)
		rm.home.nudge()
	}
}

// unpostpone takes rm out of what is to be tried again later. mu is held.
func (rm *room) unpostpone() {
	delete(rm.home.refused.rooms, rm)
	delete(rm.home.later.rooms, rm)
}

// forget takes rm, which is absent and not queued, out of the books. mu is held.
func (rs *rooms) forget(rm *room) {
	rm.unpostpone()
	delete(rs.byName, rs.name(rm))
}

// name is what the package's caller calls rm.
func (rs *rooms) name(rm *room) string { return rm.channel[len(rs.prefix):] }

// len is how many rooms are subscribed, or about to be.
func (rs *rooms) len() int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.byName)
}
