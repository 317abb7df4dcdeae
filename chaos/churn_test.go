//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// How often, on average, a client that churns does something: once in so many frames.
const (
	framesToLeave = 150 // leave its second room, or come back
	framesToDrop  = 600 // drop its connection
)

// A churn is what a client does by itself: it leaves its second room and comes back, and drops its
// connection. It belongs to the client's goroutine. A nil one does nothing.
type churn struct {
	rand  *rand.Rand
	state churning
}

type churning int

const (
	staying churning = iota
	leaving          // it has asked to leave, and was not answered
	away
	joining // it has asked to come back, and was not answered
)

// toss lets chance decide what the client does now. False: it drops its connection.
func (h *churn) toss(c *client, conn *wire) bool {
	if c.w.calm.Load() {
		return true
	}
	if h.rand.IntN(framesToDrop) == 0 && !c.tracks[0].awaits(time.Now()) { // or what was missing would never be announced
		return false
	}
	if len(c.tracks) < 2 || h.rand.IntN(framesToLeave) > 0 {
		return true
	}
	k, verb := c.tracks[1], ""
	switch h.state {
	case staying:
		h.state, verb = leaving, "unsubscribe"
		k.left()
	case away:
		h.state, verb = joining, "subscribe"
	default:
		return true // one thing at a time
	}
	_ = conn.send(wstest.Text, fmt.Appendf(nil, `{"type":%q,"room":%q,"ref":%d}`, verb, roomName(k.room), k.room)) // read tells
	return true
}

// answered takes the answer to what the client asked for. Its error says that it does not fit.
func (h *churn) answered(c *client, k *track, answer, code string) error {
	switch {
	case h.state == leaving && answer == "unsubscribed":
		h.state = away
		k.gone()
	case h.state == joining && answer == "subscribed":
		h.state = staying
		k.joined(c.w.ledger.next(k.room))
	case h.state == joining && answer == "error" && code == "unavailable":
		h.state = away
	default:
		return fmt.Errorf("was answered %s %s in state %d", answer, code, h.state)
	}
	return nil
}

// isOut reports whether the client does not want to be in k's room.
func (h *churn) isOut(k *track) bool {
	return h != nil && !k.main && (h.state == away || h.state == leaving)
}

// reconnected says that a new connection begins: what was asked for on the old one is not answered any more.
func (h *churn) reconnected() {
	if h == nil {
		return
	}
	switch h.state {
	case leaving:
		h.state = away
	case joining:
		h.state = staying // the query asks for it
	}
}
