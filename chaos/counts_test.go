//go:build linux

package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// reconnects is the metric that says why a replica's links to Redis ended.
const reconnects = "roomgate_redis_reconnects_total"

// Reasons for which a link ended, as docs/operating.md names them.
const (
	linkClosed  = "closed"
	linkCanary  = "canary"
	linkDemoted = "demoted"
)

// askEvery is how long to wait between two looks at /metrics, which cost the replica something.
const askEvery = 50 * time.Millisecond

// counts are how many links of each replica have ended, by reason.
type counts map[*replica]map[string]int

// counts asks the replicas that run.
func (w *world) counts() counts {
	all := make(counts)
	for _, r := range w.replicas {
		if r.lives() {
			all[r] = r.series(reconnects, "reason")
		}
	}
	return all
}

// since is what has come to those of before, which were counted then.
func (c counts) since(before counts) counts {
	more := make(counts)
	for r, reasons := range c {
		if before[r] == nil {
			continue // it did not run then
		}
		more[r] = make(map[string]int)
		for reason, n := range reasons {
			if n -= before[r][reason]; n > 0 {
				more[r][reason] = n
			}
		}
	}
	return more
}

func (c counts) String() string {
	var lines []string
	for r, reasons := range c {
		lines = append(lines, fmt.Sprintf("%s %v", r.name, reasons))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}

// of is how many of one replica's are for one of the reasons.
func (c counts) of(r *replica, reasons ...string) (n int) {
	for _, reason := range reasons {
		n += c[r][reason]
	}
	return n
}

// awaitLinksEnd waits until each replica has lost its link to Redis n times since the fault began, for
// one of the reasons: that proves the fault.
func (w *world) awaitLinksEnd(n int, reasons ...string) {
	w.t.Helper()
	w.awaitLinksEndSince(w.before, n, reasons...)
}

func (w *world) awaitLinksEndSince(before counts, n int, reasons ...string) {
	w.t.Helper()
	w.awaitOr(fmt.Sprintf("each replica has lost its link to Redis %d times, for %v", n, reasons), func() bool {
		lasts(askEvery)
		now := w.counts().since(before)
		return len(now) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(now)), func(r *replica) bool { return now.of(r, reasons...) < n })
	})
}

// lostLinks is how many replicas have lost a link since before, for one of the reasons.
func (w *world) lostLinks(before counts, reasons ...string) (n int) {
	now := w.counts().since(before)
	for r := range now {
		if now.of(r, reasons...) > 0 {
			n++
		}
	}
	return n
}

// wantLinksStay expects that no replica has lost its link to Redis since the fault began.
func (w *world) wantLinksStay() {
	w.t.Helper()
	for r, reasons := range w.counts().since(w.before) {
		if len(reasons) > 0 {
			w.t.Errorf("%s has lost links to Redis: %v, want none", r.name, reasons)
		}
	}
}

// awaitTaken waits until Redis has taken n messages more, of each of the rooms.
func (w *world) awaitTaken(n int, rooms []int) {
	w.t.Helper()
	marks := w.marks()
	w.awaitOr(fmt.Sprintf("Redis takes %d messages of each room", n), func() bool {
		return !slices.ContainsFunc(rooms, func(room int) bool { return w.ledger.count(room, marks[room], w.ledger.next(room)) < n })
	})
}
