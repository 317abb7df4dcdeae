//go:build linux

package chaos

import "slices"

// A seen is which numbers of a room came on one connection, as far as it takes to tell what comes
// twice from what comes late. It grows with what was skipped.
type seen struct {
	first, prev int // the first number that came, and the largest; -1: none
	skipped     []span
	late        []int // that came after a larger one
}

// A span is the numbers from from up to, and without, to.
type span struct{ from, to int }

func (s span) holds(n int) bool { return s.from <= n && n < s.to }

// came takes number n. again: it had come on this connection.
func (s *seen) came(n int) (inOrder, again bool) {
	switch {
	case s.first < 0:
		s.first, s.prev = n, n
		return true, false
	case n > s.prev:
		if n > s.prev+1 {
			s.skipped = append(s.skipped, span{s.prev + 1, n})
		}
		s.prev = n
		return true, false
	case slices.Contains(s.late, n):
		return false, true
	case n >= s.first && !slices.ContainsFunc(s.skipped, func(s span) bool { return s.holds(n) }):
		return false, true
	}
	if len(s.late) < lateMost {
		s.late = append(s.late, n)
	}
	return false, false
}
