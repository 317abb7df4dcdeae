package pubsub

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// health tells whether Redis delivers, from the canaries that came back and nothing else. A
// reconnect that is over within grace therefore changes nothing, and hundreds of replicas do not
// all turn unready for one blink of Redis.
type health struct {
	grace   time.Duration          // for how long a proof counts
	proof   atomic.Pointer[proof]  // the last; nil before the first. Set by the reader, or after it ended
	trouble atomic.Pointer[string] // what to say when unready
}

// A proof is a canary that came back.
type proof struct {
	at     time.Time
	wanted int // how many more, each within grace of the one before, until ready
}

var (
	errNotYet   = errors.New("not connected yet")
	errUnproven = errors.New("no canary came back in time")
)

// prove is for a canary that came back.
func (h *health) prove(now time.Time) {
	next := &proof{at: now}
	if last := h.proof.Load(); last != nil {
		if now.Sub(last.at) >= h.grace {
			next.wanted = 1
		} else {
			next.wanted = max(0, last.wanted-1)
		}
	}
	h.blame(errUnproven) // if there is trouble again, of which nobody says more
	h.proof.Store(next)
}

// blame says what to answer while there is no proof.
func (h *health) blame(err error) {
	s := err.Error()
	h.trouble.Store(&s)
}

// end makes it unready for good.
func (h *health) end(err error) {
	h.blame(err)
	h.proof.Store(nil)
}

func (h *health) ready(now time.Time) error {
	last := h.proof.Load()
	switch {
	case last == nil:
		return fmt.Errorf("redis: %s", *h.trouble.Load())
	case now.Sub(last.at) >= h.grace:
		return fmt.Errorf("redis: unproven for %v: %s", now.Sub(last.at).Round(time.Millisecond), *h.trouble.Load())
	case last.wanted > 0:
		return errors.New("redis: back, but not yet proven twice")
	}
	return nil
}
