//go:build linux

package chaos

import "testing"

func TestChaosShardedMasterKilled(t *testing.T) {
	parallel(t)
	w := startClustered(t, "master killed", true, 3)
	victim := w.cluster.MasterOf("room:" + roomName(0))
	w.strike(victim.Kill)
	w.awaitLinksEnd(1, linkClosed)
	if w.cluster.MasterOf("room:"+roomName(0)) == victim {
		t.Error("the first room is still at the master that was killed")
	}
	w.finish()
}

func TestChaosShardedSlotsMoved(t *testing.T) {
	parallel(t)
	w := startClustered(t, "1,000 slots moved", true, 2)
	w.moveSlots(1000)
	w.wantGaps()
	w.finish()
}

func TestChaosShardedNodeAdded(t *testing.T) {
	parallel(t)
	w := startClustered(t, "node added, and given 1,000 slots", true, 2)
	w.addNode(1000)
	w.wantGaps()
	w.finish()
}

// wantGaps expects each replica to have told somebody that messages of a room may be missing.
func (w *world) wantGaps() {
	w.t.Helper()
	for _, r := range w.replicas {
		if r.metric("roomgate_redis_gaps_total", "") == 0 {
			w.t.Errorf("%s has told nobody of a gap, and the slots of its rooms moved", r.name)
		}
	}
}
