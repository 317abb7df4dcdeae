//go:build linux

package chaos

import (
	"fmt"
	"time"
)

// A verdict is what became of the messages that clients were owed.
type verdict struct {
	Delivered   int
	ByGap       int // missing, and a gap said so
	ByReconnect int // missing, and the connection had ended
	Silent      int // missing, and nothing said so
	Duplicates  int
	Disorder    int
	Stray       int // of a room in which the client was not
}

func (v *verdict) add(w verdict) {
	v.Delivered += w.Delivered
	v.ByGap += w.ByGap
	v.ByReconnect += w.ByReconnect
	v.Silent += w.Silent
	v.Duplicates += w.Duplicates
	v.Disorder += w.Disorder
	v.Stray += w.Stray
}

// judge compares what a client saw of a room with what Redis took. A message of which Redis did not
// say that it has it is owed to nobody, and may come late: it may have been in a connection that was
// broken, or stopped, and be taken after later ones. Nothing may come twice.
func (k *track) judge(l *ledger) verdict {
	v := verdict{Delivered: k.delivered, Duplicates: k.duplicates, Stray: k.stray}
	if k.in.Load() {
		k.passOver(l.next(k.room), time.Now())
	}
	late := make(map[int]bool) // that came after all
	for _, n := range k.late {
		if l.has(k.room, n) {
			late[n] = true
			v.Disorder++
		}
	}
	for _, h := range k.holes {
		n := l.count(k.room, h.from, h.to)
		for m := range late {
			if h.from <= m && m < h.to {
				n--
			}
		}
		switch k.coverOf(h, l) {
		case byGap:
			v.ByGap += n
		case byReconnect:
			v.ByReconnect += n
		case byNothing:
			v.Silent += n
		}
	}
	return v
}

func (k *track) coverOf(h hole, l *ledger) cover {
	return h.coveredBy(func(n int) bool { return l.has(k.room, n) })
}

// explain says where a track was lost in silence, for a failure.
func (k *track) explain(l *ledger) (lines []string) {
	for _, h := range k.holes {
		if n := l.count(k.room, h.from, h.to); n > 0 && k.coverOf(h, l) == byNothing && len(lines) < 3 {
			lines = append(lines, fmt.Sprintf("room %d: %d messages of %d to %d, at %s", k.room, n, h.from, h.to-1, h.at.Format("15:04:05.000")))
		}
	}
	return lines
}
