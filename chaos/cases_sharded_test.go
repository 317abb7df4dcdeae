//go:build linux

package chaos

import "testing"

func TestChaosShardedMasterKilled(t *testing.T) {
	parallel(t)
	w := startClustered(t, "master killed", true)
	w.strike(func() { w.cluster.MasterOf("room:" + roomName(0)).Kill() })
	w.finish()
}

func TestChaosShardedSlotsMoved(t *testing.T) {
	parallel(t)
	w := startClustered(t, "1,000 slots moved", true)
	w.moveSlots(1000)
	w.finish()
}

func TestChaosShardedNodeAdded(t *testing.T) {
	parallel(t)
	w := startClustered(t, "node added, and given 1,000 slots", true)
	w.addNode(1000)
	w.finish()
}
