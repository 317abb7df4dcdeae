//go:build linux

package chaos

import "sync"

// A ledger knows which messages there were. Each room has numbers of its own, from 0, in the order
// in which its one publisher publishes.
type ledger struct {
	mu    sync.Mutex // guards what follows
	taken [][]bool   // by room and number: Redis answered that it has it
	total int        // of them
}

func newLedger(rooms int) *ledger { return &ledger{taken: make([][]bool, rooms)} }

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
	l.taken[room] = append(l.taken[room], false)
	return len(l.taken[room]) - 1
}

// took says that Redis has message n. One of which this is never said may have been taken or not.
func (l *ledger) took(room, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken[room][n] = true
	l.total++
}

func (l *ledger) has(room, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n < len(l.taken[room]) && l.taken[room][n]
}

// count is how many messages from from up to, and without, to Redis has.
func (l *ledger) count(room, from, to int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.taken[room]
	for i := from; i < min(to, len(taken)); i++ {
		if taken[i] {
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
