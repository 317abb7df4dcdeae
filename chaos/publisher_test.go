//go:build linux

package chaos

import (
	"context"
	"time"
)

const publishTime = time.Second // for one PUBLISH to be answered

// A publisher publishes to its rooms in turn. No other publishes to them, so that a room's numbers
// are in the order in which Redis has them.
type publisher struct {
	w      *world
	target target
	rooms  []int
	pad    map[int]int // by room: bytes that its messages are longer
}

// run publishes every message when it is due, until ctx ends. One that takes long delays the next:
// they do not pile up.
func (p *publisher) run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.publish(p.rooms[i%len(p.rooms)])
		}
	}
}

// publish publishes a room's next message, and returns its number and whether Redis took it. It
// does not end with the test, so that the answer is known.
func (p *publisher) publish(room int) (n int, taken bool) {
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	n = p.w.ledger.allot(room)
	if p.target.publish(ctx, "room:"+roomName(room), makeMessage(n, p.pad[room])) != nil {
		return n, false
	}
	p.w.ledger.took(room, n, time.Now())
	return n, true
}
