//go:build linux

package chaos

import "fmt"

// A verdict is what became of the messages that clients were owed.
type verdict struct {
	delivered   int
	byGap       int // missing, and a gap said so
	byReconnect int // missing, and the connection had ended
	silent      int // missing, and nothing said so
	duplicates  int
	disorder    int
	stray       int // of a room in which the client was not
}

func (v *verdict) add(w verdict) {
	v.delivered += w.delivered
	v.byGap += w.byGap
	v.byReconnect += w.byReconnect
	v.silent += w.silent
	v.duplicates += w.duplicates
	v.disorder += w.disorder
	v.stray += w.stray
}

// judge compares what a client saw of a room with what Redis took. A message of which Redis did not
// say that it has it is owed to nobody, and may come whenever it likes: it may have been in a
// connection that was broken, or stopped, and be taken after later ones.
func (k *track) judge(l *ledger) verdict {
	v := verdict{delivered: k.delivered, stray: k.stray}
	if k.in.Load() {
		k.passOver(l.next(k.room))
	}
	late := make(map[int]bool) // that came after all
	for _, n := range k.late {
		switch {
		case !l.has(k.room, n):
		case k.missing(n) && !late[n]:
			late[n] = true
			v.disorder++
		default:
			v.duplicates++
		}
	}
	for _, h := range k.holes {
		n := l.count(k.room, h.from, h.to)
		for m := range late {
			if h.from <= m && m < h.to {
				n--
			}
		}
		switch h.cover {
		case byGap:
			v.byGap += n
		case byReconnect:
			v.byReconnect += n
		default:
			v.silent += n
		}
	}
	return v
}

// missing reports whether n did not come when it should have.
func (k *track) missing(n int) bool {
	for _, h := range k.holes {
		if h.from <= n && n < h.to {
			return true
		}
	}
	return false
}

// explain says where a track was lost in silence, for a failure.
func (k *track) explain(l *ledger) (lines []string) {
	for _, h := range k.holes {
		if n := l.count(k.room, h.from, h.to); h.cover == byNothing && n > 0 && len(lines) < 3 {
			lines = append(lines, fmt.Sprintf("room %d: %d messages of %d to %d", k.room, n, h.from, h.to-1))
		}
	}
	return lines
}
