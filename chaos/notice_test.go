//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"time"
)

// A notice is what a client was told: that messages of a room may be missing, or that its connection ended.
type notice struct {
	at     time.Time
	gap    string // reason of a gap frame; empty: the connection ended
	room   int    // of the gap
	code   int    // of the close frame
	raw    bool
	joined bool // it ended after the client was in its rooms
}

// noticesMost is how many notices of a client are kept, which is more than enough to fail a case.
const noticesMost = 1000

// A warrant is what the fault of a case explains that clients are told.
type warrant struct {
	from, to time.Time // from its beginning until all have recovered
	gaps     int       // for one room of a client, at most; raw: ends with 4205
	mayEnd   []int     // close codes
}

// unexplained says what of a client's notices the warrant does not explain.
func (w *warrant) unexplained(all []notice) (lines []string) {
	gaps := make(map[int]int)
	for _, n := range all {
		if s := w.refuses(n); s != "" {
			lines = append(lines, fmt.Sprintf("%v at %s: %s", n, n.at.Format("15:04:05.000"), s))
		}
		if n.gap != "" || n.code == codeGap {
			gaps[n.room]++
		}
	}
	for room, n := range gaps {
		if n > w.gaps {
			lines = append(lines, fmt.Sprintf("room %d had %d gaps, and the fault explains %d", room, n, w.gaps))
		}
	}
	return lines
}

func (w *warrant) refuses(n notice) string {
	to := w.to
	if n.raw {
		to = to.Add(announceTime) // nothing need be missing, so that nobody waits for it
	}
	switch {
	case n.at.Before(w.from) || n.at.After(to):
		return "nothing was broken then"
	case n.gap == "" && !slices.Contains(w.mayEnd, n.code):
		return "the fault does not explain it"
	case n.gap == "" && n.code == codeGap && !n.raw:
		return "only raw clients are told of a gap so"
	case n.gap == "" && n.code == codeRedis && n.joined:
		return "whoever is in his rooms stays, though Redis is broken"
	case n.gap != "" && n.gap != "redis":
		return "Redis is all that was broken"
	}
	return ""
}

func (n notice) String() string {
	switch {
	case n.gap != "":
		return fmt.Sprintf("a gap in room %d (%s)", n.room, n.gap)
	case n.code == codeNone:
		return "an end without a close frame"
	}
	return fmt.Sprintf("an end with close code %d", n.code)
}
