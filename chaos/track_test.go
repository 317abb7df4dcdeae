//go:build linux

package chaos

import (
	"slices"
	"sync/atomic"
	"time"
)

// A cover is what announced that messages may be missing.
type cover int

const (
	byNothing   cover = iota // lost in silence
	byGap                    // a gap frame, or an end with 4205
	byReconnect              // the connection ended: a client that reconnects refetches
	notOwed                  // published before the client joined, or after it asked to leave
)

// A window is what a gap, or a join, excuses: numbers below floor that do not come, up to the first
// message behind it. What came is in order, so behind that message none may be missing.
type window struct {
	cover cover
	floor int   // the number that the room's next message had when the client read of it
	came  []int // numbers below floor that came behind it
}

// ended reports whether a message that ends the window came before number n. One that Redis did not
// answer to have does not: it may have been taken later than those with higher numbers.
func (w *window) ended(n int, has func(n int) bool) bool {
	return slices.ContainsFunc(w.came, func(m int) bool { return m < n && has(m) })
}

// A hole is a run of numbers that did not come: from from up to, and without, to.
type hole struct {
	from, to int
	window   *window   // that it is in; nil: none
	cover    cover     // if no window excuses it: byNothing, or byGap by the end of a raw connection
	at       time.Time // when the client could know of it
}

// coveredBy is what announced the hole.
func (h *hole) coveredBy(has func(n int) bool) cover {
	if h.window != nil && !h.window.ended(h.from, has) {
		return h.window.cover
	}
	return h.cover
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
	fresh bool // it was never joined, or was left: what came before the next time is not owed
	open  bool // messages may come: from the join until the leave is answered, or the connection over

	seen   seen    // on this connection
	upto   int     // lower numbers are accounted for: they came, or are in holes
	window *window // the last

	holes      []hole
	late       []int // numbers that came behind a higher one, and had not come before on the same connection
	delivered  int   // numbers that came, each counted once
	duplicates int   // on one connection
	stray      int   // messages of a room in which the client was not

	// Others read these, too, to wait for something.
	in      atomic.Bool          // the gateway has said that the room is joined, and the client has not asked to leave it
	owed    atomic.Int64         // numbers from here on have to come
	last    atomic.Int64         // largest number seen; -1: none
	pending atomic.Pointer[span] // raw: a hole that the connection's end has yet to announce; nil: none
}

func newTrack(room int, raw bool) *track {
	k := &track{room: room, raw: raw, fresh: true}
	k.last.Store(-1)
	return k
}

// joined says that the room is joined, and that a message published now would be number next. Those
// before may come or not.
func (k *track) joined(next int) {
	if k.open {
		return
	}
	c := byReconnect
	if k.fresh {
		c = notOwed
	}
	k.fresh, k.open, k.seen = false, true, seen{first: -1, prev: -1}
	k.excuse(c, next)
	k.in.Store(true)
}

// gap says that all messages before next may be missing.
func (k *track) gap(next int) { k.excuse(byGap, next) }

func (k *track) excuse(c cover, next int) {
	k.window = &window{cover: c, floor: next}
	k.owed.Store(int64(next))
}

// left says that the client asks to leave the room. Messages go on coming until that is answered, and
// none may be missing before the last of them. How many will come nobody knows.
func (k *track) left() {
	k.fresh = true
	k.in.Store(false)
}

// gone says that the gateway has answered that the room is left.
func (k *track) gone() { k.open = false }

// before reports whether neither message n nor a later one has come, of a room that the client is in,
// or will be in again.
func (k *track) before(n int) bool {
	return (k.main || k.in.Load()) && k.last.Load() < int64(n)
}

// lacks is before, but for a message that the client is not owed.
func (k *track) lacks(n int) bool {
	return k.before(n) && !(k.in.Load() && k.owed.Load() > int64(n))
}

// message says that number n came.
func (k *track) message(n int, at time.Time) {
	k.last.Store(max(k.last.Load(), int64(n)))
	inOrder, again := k.seen.came(n)
	switch {
	case again:
		k.duplicates++
		return
	case !inOrder:
		if len(k.late) < lateMost {
			k.late = append(k.late, n)
		}
		return
	}
	if n >= k.upto { // else an earlier connection had it
		k.passOver(n, at)
		k.delivered++
		k.upto = n + 1
	}
	if n < k.window.floor {
		k.window.came = append(k.window.came, n)
		k.owed.Store(min(k.owed.Load(), int64(n)+1))
	}
}

// passOver accounts for the numbers before n, which did not come.
func (k *track) passOver(n int, at time.Time) {
	if below := min(n, k.window.floor); k.upto < below {
		k.holes = append(k.holes, hole{from: k.upto, to: below, window: k.window, at: at})
		k.upto = below
	}
	if k.upto < n {
		k.holes = append(k.holes, hole{from: k.upto, to: n, at: at})
		if k.raw {
			k.pending.Store(&span{k.upto, n})
		}
		k.upto = n
	}
}

// announceTime is for a gap to end a raw client: gap.spread is one second here, and what is more is for
// the machine, which the short form shares.
var announceTime = pick(3*time.Second, 2*time.Second)

// ended says that the connection is over, by a close frame with that code, and that numbers below
// owed had to come before it.
func (k *track) ended(code, owed int, at time.Time) {
	if k.in.Load() && k.upto < owed {
		k.passOver(owed, at)
	}
	k.in.Store(false)
	k.open = false
	if k.raw && code == codeGap { // it may have got messages behind the hole, until it was told
		for i := range k.holes {
			if at.Sub(k.holes[i].at) <= announceTime {
				k.holes[i].cover = byGap
			}
		}
	}
	k.pending.Store(nil)
}

// awaits reports whether the end of the connection, which announces a hole of a raw client, is still due.
func (k *track) awaits(now time.Time) bool {
	return k.raw && len(k.holes) > 0 && now.Sub(k.holes[len(k.holes)-1].at) <= announceTime
}
