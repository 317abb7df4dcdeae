//go:build linux

package chaos

import (
	"sync"
	"time"
)

// A ledger knows which messages there were. Each room has numbers of its own, from 0, in the order
// in which its one publisher publishes.
type ledger struct {
	mu    sync.Mutex // guards what follows
	taken [][]int64  // by room and number: when Redis answered that it has it, in microseconds since 1970; 0: it did not
	total int        // of them
}

func newLedger(rooms int) *ledger { return &ledger{taken: make([][]int64, rooms)} }

// next is the number that a room's next message will have: what is published from now on has it, or a higher one.
func (l *ledger) next(room int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.taken[room])
}

// allot gives out a room's next number, before it is published.
func (l *ledger) allot(room int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[room] = append(l.taken[room], 0)
	return len(l.taken[room]) - 1
}

// took says that Redis has message n. One of which this is never said may have been taken or not.
func (l *ledger) took(room, n int, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[room][n] = at.UnixMicro()
	l.total++
}

func (l *ledger) has(room, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n < len(l.taken[room]) && l.taken[room][n] != 0
}

// count is how many messages from from up to, and without, to Redis has.
func (l *ledger) count(room, from, to int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.taken[room]
	for i := from; i < min(to, len(taken)); i++ {
		if taken[i] != 0 {
			n++
		}
	}
	return n
}

// published is how many messages Redis took, of all rooms.
func (l *ledger) published() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// takenBy is the number behind the last that Redis had answered to have by then.
func (l *ledger) takenBy(room int, at time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.taken[room]
	for i := len(taken) - 1; i >= 0; i-- {
		if taken[i] != 0 && taken[i] <= at.UnixMicro() {
			return i + 1
		}
	}
	return 0
}
