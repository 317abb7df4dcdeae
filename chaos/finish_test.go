//go:build linux

package chaos

import (
	"slices"
	"strings"
	"time"
)

const explainMost = 10 // clients of which the failure tells what is wrong

// finish publishes one last message to each room, which has to reach everybody, judges, and reports.
func (w *world) finish() {
	w.t.Helper()
	w.calm.Store(true)
	w.awaitMore(settled)
	w.stopPublished()
	last := make([]int, w.s.rooms)
	for _, p := range w.publishers {
		for _, room := range p.rooms {
			w.awaitOr("Redis takes the last messages", func() (taken bool) { last[room], taken = p.publish(room); return taken })
		}
	}
	w.awaitOr("the last messages", func() bool {
		return !slices.ContainsFunc(w.clients, func(c *client) bool {
			return slices.ContainsFunc(c.tracks, func(k *track) bool { return k.lacks(last[k.room]) })
		})
	})
	w.awaitAnnounced()
	for _, r := range w.replicas {
		if r.lives() {
			r.wantSound()
		}
	}
	w.stopClients()
	w.judge()
}

// awaitAnnounced waits until no raw client has a hole whose gap has yet to end its connection. One that is
// never announced is the judge's to find.
func (w *world) awaitAnnounced() {
	pending := func(c *client) bool {
		k := c.tracks[0]
		hole := k.pending.Load()
		return hole != nil && w.ledger.count(k.room, hole.from, hole.to) > 0 // else nobody was owed it
	}
	for deadline := time.Now().Add(announceTime + time.Second); slices.ContainsFunc(w.clients, pending) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// judge adds up what became of all messages, and fails the case if a must is not held.
func (w *world) judge() {
	w.t.Helper()
	r := row{Name: w.s.name, Clients: len(w.clients), Published: w.ledger.published(), RecoveredV1: w.recoveredV1, Recovered: w.recovered}
	allowed := &warrant{from: w.struck, to: w.over, gaps: w.s.gaps, mayEnd: w.s.mayEnd}
	explained := 0
	for i, c := range w.clients {
		var lines []string
		for _, k := range c.tracks {
			r.add(k.judge(w.ledger))
			for _, line := range k.explain(w.ledger) {
				lines = append(lines, "lost in silence: "+line)
			}
		}
		if c.trouble != nil {
			lines = append(lines, c.trouble.Error())
		}
		lines = append(lines, allowed.unexplained(c.notices)...)
		if lines == nil {
			continue
		}
		if explained++; explained <= explainMost {
			w.t.Errorf("client %d (raw: %t): %s", i, c.raw, strings.Join(lines[:min(len(lines), explainMost)], "; "))
		}
	}
	if explained > explainMost {
		w.t.Errorf("%d clients more have something to tell", explained-explainMost)
	}
	if r.Silent > 0 || r.Duplicates > 0 || r.Disorder > 0 || r.Stray > 0 {
		w.t.Errorf("%d messages lost in silence, %d duplicates, %d out of order, %d of rooms in which the client was not",
			r.Silent, r.Duplicates, r.Disorder, r.Stray)
	}
	if w.s.gaps == 0 && r.ByGap > 0 {
		w.t.Errorf("%d messages were covered by a gap, and Redis was well", r.ByGap)
	}
	w.report(r)
}

func (w *world) report(r row) {
	w.t.Helper()
	ends, refused, gaps := make(map[int]int), make(map[int]int), make(map[string]int)
	for _, c := range w.clients {
		for code, n := range c.ends {
			ends[code] += n
		}
		for status, n := range c.refused {
			refused[status] += n
		}
		for _, n := range c.notices {
			if n.gap != "" {
				gaps[n.gap]++
			}
		}
	}
	quiet, fault := w.latencies.of(phaseQuiet), w.latencies.of(phaseFault)
	w.t.Logf("\n%s%s", tableHead, r)
	w.t.Logf("connections ended, by close code: %v; handshakes refused, by status: %v; gap frames, by reason: %v", ends, refused, gaps)
	w.t.Logf("what became of the links to Redis: %v", w.counts().since(w.before))
	w.t.Logf("latency of what was delivered, quiet: %+v, with the fault: %+v", quiet, fault)
	report(r, result{w.s.name, quiet, fault})
}
