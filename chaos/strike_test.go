//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// How long recovery may take, if a case does not say otherwise.
// In the short form other cases run beside it, and other things on the machine.
var (
	withinMost = pick(20*time.Second, 8*time.Second)  // for a gateway to connect to Redis: its backoff ends at 3 s
	backMost   = pick(30*time.Second, 25*time.Second) // for raw clients to be told, within 1 s, and to come back, within 5 s, or after refusals
)

// marks are the numbers that the rooms' next messages will have.
func (w *world) marks() []int {
	marks := make([]int, w.s.rooms)
	for room := range marks {
		marks[room] = w.ledger.next(room)
	}
	return marks
}

// behind counts the clients that have had nothing yet from what marks say on, in one of their rooms.
func (w *world) behind(marks []int, formats ...bool) (n int) {
	return w.behindIn(marks, func(_ *client, k *track) bool { return slices.Contains(formats, k.raw) })
}

// behindIn is behind, but of the tracks that are wanted only.
func (w *world) behindIn(marks []int, wanted func(*client, *track) bool) (n int) {
	for _, c := range w.clients {
		if slices.ContainsFunc(c.tracks, func(k *track) bool { return wanted(c, k) && k.before(marks[k.room]) }) {
			n++
		}
	}
	return n
}

// awaitMore waits until each client has a message of each of its rooms that is n later than the last of now.
func (w *world) awaitMore(n int) {
	w.t.Helper()
	marks := w.marks()
	for room := range marks {
		marks[room] += n
	}
	w.awaitOr("messages", func() bool { return w.behind(marks, false, true) == 0 })
}

// strike does what a case is about, from the fault's beginning to its end, and measures how long
// after its end each client has a message that was published later.
func (w *world) strike(what func()) {
	w.t.Helper()
	w.before = w.counts()
	w.latencies.phase.Store(phaseFault)
	w.struck = time.Now()
	w.returns.begin(w.struck)
	what()
	ended, marks := time.Now(), w.marks()
	progress(w.t, "the fault is over")
	w.awaitOr("clients of roomgate.v1 have a new message", func() bool { return w.behind(marks, false) == 0 })
	w.recoveredV1 = time.Since(ended).Seconds()
	w.awaitOr("all clients have a new message", func() bool { return w.behind(marks, false, true) == 0 })
	w.awaitAnnounced()
	w.awaitOr("all clients are connected", w.online)
	w.over = time.Now()
	w.recovered = w.over.Sub(ended).Seconds()
	w.latencies.phase.Store(phaseOther)
	progress(w.t, "recovered after %.1f s", w.recovered)
	if err := w.s.recoversIn(w.recoveredV1, w.recovered); err != nil {
		w.t.Error(err)
	}
}

// recoversIn returns an error if recovery has taken longer, in seconds, than it may.
func (s *setup) recoversIn(v1, all float64) error {
	within := cmp.Or(s.within, withinMost)
	if backIn := cmp.Or(s.backIn, within+backMost); v1 > within.Seconds() || all > backIn.Seconds() {
		return fmt.Errorf("recovered after %.1f s in roomgate.v1 and %.1f s in all, want %v and %v at most", v1, all, within, backIn)
	}
	return nil
}

// owedAtEnd is the number below which all of a room has to come before a connection that ended so: a
// drain ends each with what is queued. Where Redis is broken nobody knows what had come from there.
func (w *world) owedAtEnd(room int, e ending) int {
	if !w.well || e.code != codeDraining || e.own {
		return 0
	}
	return w.ledger.takenBy(room, e.bye.Add(-queuedTime))
}

// awaitOr is await that fails the test without ending it: the judge says more.
func (w *world) awaitOr(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Errorf("waited %v in vain: %s", patience, what)
			return
		}
	}
}
