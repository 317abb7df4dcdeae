package pubsub

import (
	"container/list"
	"fmt"
	"time"
)

// A part is the rooms that one connection serves, and what is to be told to Redis of them there:
// all rooms, or in a Cluster with sharded pub/sub those of the slots that one master owns. It
// outlives its links, which come one after the other.
type part struct {
	wake   chan struct{} // capacity 1: there is something to agree on
	health health

	// guarded by rooms.mu
	todo    []*room   // to subscribe, oldest first
	idle    list.List // of *room, to unsubscribe, soonest first
	refused postponed // Redis refused them though they are held
}

func newPart(grace time.Duration) *part {
	return &part{
		wake:    make(chan struct{}, 1),
		health:  health{grace: grace},
		refused: newPostponed(refusedRetry),
	}
}

// nudge has the part's link look for something to agree on.
func (p *part) nudge() {
	select {
	case p.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// A postponed set is rooms that are to be subscribed again, all at one time.
type postponed struct {
	pause time.Duration // from the first that comes in until all are due
	rooms map[*room]struct{}
	at    time.Time // when they are due, if there are any
}

func newPostponed(pause time.Duration) postponed {
	return postponed{pause: pause, rooms: make(map[*room]struct{})}
}

func (s *postponed) add(rm *room, now time.Time) {
	if len(s.rooms) == 0 {
		s.at = now.Add(s.pause)
	}
	s.rooms[rm] = struct{}{}
}

// due reports whether there are any and it is time.
func (s *postponed) due(now time.Time) bool { return len(s.rooms) > 0 && !s.at.After(now) }

// sooner is the earlier of next, of which zero means never, and the time when s is due.
func (s *postponed) sooner(next time.Time) time.Time {
	if len(s.rooms) > 0 && (next.IsZero() || s.at.Before(next)) {
		return s.at
	}
	return next
}

// check recomputes what must hold of a part's lists between any two calls. mu is held.
func (p *part) check(rs *rooms) error {
	todo, idle := make(map[*room]bool, len(p.todo)), 0
	for _, rm := range p.todo {
		if todo[rm] || !rm.queued || rm.home != p {
			return fmt.Errorf("room %q is in a queue: twice %v, queued %v, at home there %v", rs.name(rm), todo[rm], rm.queued, rm.home == p)
		}
		todo[rm] = true
	}
	for e := p.idle.Front(); e != nil; e = e.Next() {
		if rm := e.Value.(*room); rm.idle != e || rm.home != p {
			return fmt.Errorf("room %q is listed as idle: %v, at home there %v", rs.name(rm), rm.idle == e, rm.home == p)
		}
	}
	for name, rm := range rs.byName {
		if rm.home != p {
			continue
		}
		if rm.queued != todo[rm] {
			return fmt.Errorf("room %q: queued %v, in the queue %v", name, rm.queued, todo[rm])
		}
		if rm.idle != nil {
			idle++
		}
		delete(todo, rm)
	}
	if idle != p.idle.Len() || len(todo) > 0 {
		return fmt.Errorf("%d rooms are idle, %d listed; %d are queued, but not in the books", idle, p.idle.Len(), len(todo))
	}
	return nil
}
