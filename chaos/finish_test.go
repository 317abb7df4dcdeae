//go:build linux

package chaos

import (
	"slices"
	"strings"
	"time"
)

const (
	announceTime = 10 * time.Second // for a gap to end a raw client: gap.spread is one second here
	explainMost  = 10               // clients of which the failure tells what they have lost
)

// finish publishes one last message to each room, which has to reach everybody, judges, and reports.
func (w *world) finish() {
	w.t.Helper()
	w.calm.Store(true)
	w.awaitMore(settled)
	w.stopPublished()
	last := make([]int, w.s.rooms)
	for _, p := range w.publishers {
		for _, room := range p.rooms {
			await(w.t, patience, "Redis takes the last messages", func() (taken bool) { last[room], taken = p.publish(room); return taken })
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
	pending := func(c *client) bool { return c.tracks[0].pending.Load() }
	for deadline := time.Now().Add(announceTime); slices.ContainsFunc(w.clients, pending) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// judge adds up what became of all messages, and fails the case if a must is not held.
func (w *world) judge() {
	w.t.Helper()
	r := row{name: w.s.name, clients: w.s.clients, published: w.ledger.published(), recoveredV1: w.recoveredV1, recovered: w.recovered}
	ends, refused, explained := make(map[int]int), make(map[int]int), 0
	for i, c := range w.clients {
		for _, k := range c.tracks {
			r.add(k.judge(w.ledger))
			if lines := k.explain(w.ledger); lines != nil && explained < explainMost {
				explained++
				w.t.Errorf("client %d (raw: %t) lost in silence: %s", i, c.raw, strings.Join(lines, "; "))
			}
		}
		if c.trouble != nil {
			w.t.Errorf("client %d (raw: %t) %v", i, c.raw, c.trouble)
		}
		for code, n := range c.ends {
			ends[code] += n
			if !slices.Contains(w.s.mayEnd, code) || code == codeGap && !c.raw {
				w.t.Errorf("client %d (raw: %t) was ended %d times with close code %d", i, c.raw, n, code)
			}
		}
		for status, n := range c.refused {
			refused[status] += n
		}
	}
	if r.silent > 0 || r.duplicates > 0 || r.disorder > 0 || r.stray > 0 {
		w.t.Errorf("%d messages lost in silence, %d duplicates, %d out of order, %d of rooms in which the client was not",
			r.silent, r.duplicates, r.disorder, r.stray)
	}
	quiet, fault := w.latencies.of(phaseQuiet), w.latencies.of(phaseFault)
	w.t.Logf("\n%s%s", tableHead, r)
	w.t.Logf("connections ended, by close code: %v; handshakes refused, by status: %v", ends, refused)
	w.t.Logf("latency of what was delivered, quiet: %+v, with the fault: %+v", quiet, fault)
	report(r, result{w.s.name, quiet, fault})
}
