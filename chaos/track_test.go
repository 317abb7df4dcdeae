//go:build linux

package chaos

import "sync/atomic"

// A cover is what announced that messages may be missing.
type cover int

const (
	byNothing   cover = iota // lost in silence
	byGap                    // a gap frame, or an end with 4205
	byReconnect              // the connection ended: a client that reconnects refetches
	notOwed                  // published before the client joined, or after it asked to leave
)

// A hole is a run of numbers that did not come: from from up to, and without, to.
type hole struct {
	from, to int
	cover    cover
}

// lateMost is how many late messages a track remembers, which is more than enough to fail a case.
const lateMost = 1000

// A track is what one client saw of one room. It is kept as it comes, so that its size depends on
// what is missing and not on what came. Its methods are the client's goroutine's; the judge reads it
// after that has ended.
type track struct {
	room  int
	raw   bool // the format has no gap frames
	main  bool // the client never leaves it by itself
	first bool // it was never joined, or was left: what came before the next time is not owed

	prev  int   // largest number seen on this connection; -1: none
	upto  int   // lower numbers are accounted for: they came, or are in holes
	below cover // what covers the numbers from upto to floor, if they do not come

	holes     []hole
	late      []int // numbers that are lower than one before them on the same connection
	delivered int   // numbers that came, each counted once
	stray     int   // messages of a room in which the client was not

	// Others read these, too, to wait for something.
	in      atomic.Bool  // the gateway has said that the room is joined
	floor   atomic.Int64 // numbers from here on must come, without a hole
	last    atomic.Int64 // largest number seen; -1: none
	pending atomic.Bool  // raw: there is a hole that the connection's end has yet to announce
}

func newTrack(room int, raw bool) *track {
	k := &track{room: room, raw: raw, first: true, prev: -1, below: notOwed}
	k.last.Store(-1)
	return k
}

// joined says that the room is joined, and that a message published now would be number next.
// c is the cover of those before, which may come or not.
func (k *track) joined(next int, c cover) {
	if k.in.Load() {
		return
	}
	k.prev, k.below = -1, c
	if c == notOwed {
		k.upto = max(k.upto, next)
	}
	k.floor.Store(int64(next))
	k.in.Store(true)
}

// left says that the client does not want the room any more: what comes now is not expected.
func (k *track) left() {
	k.first = true
	k.in.Store(false)
}

// gap says that all messages before next may be missing.
func (k *track) gap(next int) {
	k.below = byGap
	k.floor.Store(int64(next))
}

// before reports whether neither message n nor a later one has come, of a room that the client is in,
// or will be in again.
func (k *track) before(n int) bool {
	return (k.main || k.in.Load()) && k.last.Load() < int64(n)
}

// lacks is before, but for a message that the client is not owed.
func (k *track) lacks(n int) bool {
	return k.before(n) && !(k.in.Load() && k.floor.Load() > int64(n))
}

// message says that number n came.
func (k *track) message(n int) {
	k.last.Store(max(k.last.Load(), int64(n)))
	if n <= k.prev {
		if len(k.late) < lateMost {
			k.late = append(k.late, n)
		}
		return
	}
	k.prev = n
	if n < k.upto {
		return // an earlier connection had it, or it was published before the client joined
	}
	k.passOver(n)
	k.delivered++
	k.upto = n + 1
}

// passOver accounts for the numbers before n, which did not come.
func (k *track) passOver(n int) {
	if below := min(n, int(k.floor.Load())); k.upto < below {
		if k.below != notOwed {
			k.holes = append(k.holes, hole{k.upto, below, k.below})
		}
		k.upto = below
	}
	if k.upto < n {
		k.holes = append(k.holes, hole{k.upto, n, byNothing})
		k.upto = n
		k.pending.Store(k.raw)
	}
}

// ended says that the connection is over. A raw client has its gaps told so, in whatever order
// they are: until then it may have got messages behind the hole.
func (k *track) ended(code int) {
	k.in.Store(false)
	if !k.raw {
		return
	}
	c := byReconnect
	if code == codeGap {
		c = byGap
	}
	for i := range k.holes {
		if k.holes[i].cover == byNothing {
			k.holes[i].cover = c
		}
	}
	k.pending.Store(false)
}
