package pubsub

import (
	"container/list"
	"time"
)

// A part is the rooms that one connection serves, and what is to be told to Redis of them there:
// all rooms, or with Options.Sharded those of the slots that one master owns. It outlives its links,
// which come one after the other.
type part struct {
	master string        // address of the master whose slots it serves; empty: all channels, at any server
	wake   chan struct{} // capacity 1: there is something to agree on
	health health
	where  string // what its last link was connected to, if it is sharded; of its link's goroutine

	// guarded by rooms.mu
	todo    []*room            // to subscribe, oldest first
	given   int                // of todo: nobody holds them any more
	idle    list.List          // of *room, to unsubscribe, soonest first
	away    map[*room]struct{} // joined here, though they belong elsewhere: to unsubscribe now
	refused postponed          // Redis refused them though they are held
	later   postponed          // the Cluster could not serve them when it was asked
}

func newPart(master string, grace time.Duration) *part {
	return &part{
		master:  master,
		wake:    make(chan struct{}, 1),
		health:  health{grace: grace},
		away:    make(map[*room]struct{}),
		refused: newPostponed(refusedRetry),
		later:   newPostponed(unsettledRetry),
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

func (s *postponed) has(rm *room) bool {
	_, has := s.rooms[rm]
	return has
}
