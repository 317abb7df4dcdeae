package pubsub

import (
	"slices"
	"time"
)

// A way is that from one master to the link's node. One connection to publish and one of the bus keep order, so a canary
// that comes before an earlier one of the same master shows that the earlier one is lost.
type way struct {
	out     []time.Time // when those were sent that the master took, or is about to, and that have not come; oldest first
	missed  int         // how many did not come, in a row
	doubted bool        // earlier links did not hear it at other nodes, and this one has not yet
	refused bool        // the master did not take the last one
	carried int         // how many went over the connection that there is, about
}

// inDoubt reports whether what is published there may be lost. That ends once a canary of it comes.
func (w *way) inDoubt() bool { return w.doubted || w.missed > 0 }

// came takes out the canary that was sent then. known: it was out. lost: others that are older were, too.
func (w *way) came(sent time.Time) (known, lost bool) {
	i := slices.IndexFunc(w.out, sent.Equal)
	w.out = slices.Delete(w.out, 0, i+1)
	return i >= 0, i > 0
}

// untaken takes out one that was not published, as far as can be told: it cannot come, and shows nothing. What was
// known before stays.
func (w *way) untaken(sent time.Time) {
	w.out = slices.DeleteFunc(w.out, sent.Equal)
	w.refused = true
	if w.doubted { // from the gap that the link began with until it is heard, more may be lost
		w.doubted, w.missed = false, 1
	}
}

// expire counts those as missed that were sent before then, and returns how many that were.
func (w *way) expire(before time.Time) int {
	n := 0
	for n < len(w.out) && w.out[n].Before(before) {
		n++
	}
	w.out = slices.Delete(w.out, 0, n)
	w.missed += n
	return n
}
