//go:build linux

package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

// A clustered world has a Redis Cluster of three masters with a replica each.
type clustered struct {
	*world
	cluster *redistest.Cluster
}

// startClustered starts one. In the classic form publishers publish to the last master, whence the
// cluster bus brings it to the gateways; in the sharded form by SPUBLISH to the master of each room.
// gaps are how many a client may have for one room.
func startClustered(t *testing.T, name string, sharded bool, gaps int) *clustered {
	t.Helper()
	c := redistest.StartCluster(t, 3, 1)
	nodes := c.Nodes()
	s := setup{name: "Cluster: " + name, clients: pick(100, 400), rooms: pick(10, 40), rate: 10, replicas: 2,
		url: c.URL(), gaps: gaps, within: failoverMost}
	if gaps > 0 {
		s.mayEnd = []int{codeGap, codeRedis}
	}
	publish := seek(addrs(nodes[2]))
	if sharded {
		s.name = "Cluster, sharded: " + name
		s.env = append([]string{"ROOMGATE_REDIS_SHARDED=true"}, s.env...)
		publish = shard(addrs(nodes...)())
	}
	s.targets = slices.Repeat([]func() target{publish}, 2)
	return &clustered{newWorld(t, s), c}
}

// A master to which a gateway is subscribed dies.
func TestChaosClusterMasterKilled(t *testing.T) {
	parallel(t)
	w := startClustered(t, "master of subscriptions killed", false, 3)
	var before counts // when it was killed
	w.strike(func() {
		victim := w.subscribed()
		before = w.counts()
		victim.Kill()
	})
	if w.lostLinks(before, linkClosed) == 0 {
		t.Error("no gateway has lost its link to the master that was killed")
	}
	w.finish()
}

// moment is long enough for a gateway to notice that its connection is gone, and to have another.
const moment = 300 * time.Millisecond

// subscribed is one of the first two masters, of which neither takes what is published, with a
// subscription of a gateway. If both gateways are at the third, the first of it loses its connection
// until it is elsewhere.
func (w *clustered) subscribed() (found *redistest.Server) {
	w.t.Helper()
	masters := w.cluster.Nodes()[:3]
	await(w.t, patience, "a gateway is subscribed to a master to which nobody publishes", func() bool {
		for _, s := range masters[:2] {
			if len(subscribers(w.t, s.Client())) > 0 {
				found = s
				return true
			}
		}
		if err := masters[2].Client().ClientKillByFilter(w.t.Context(), "TYPE", "pubsub").Err(); err != nil {
			w.t.Fatal(err)
		}
		w.s.gaps++ // which that explains
		lasts(moment)
		return false
	})
	return found
}

func TestChaosClusterSlotsMoved(t *testing.T) {
	parallel(t)
	w := startClustered(t, "1,000 slots moved", false, 0)
	w.moveSlots(1000)
	w.wantLinksStay()
	w.finish()
}

func TestChaosClusterNodeAdded(t *testing.T) {
	parallel(t)
	w := startClustered(t, "node added, and given 1,000 slots", false, 0)
	w.addNode(1000)
	w.wantLinksStay()
	w.finish()
}

// moveSlots moves n slots of a master, those of rooms first, to another.
func (w *clustered) moveSlots(n int) {
	w.t.Helper()
	from := w.cluster.MasterOf("room:" + roomName(0))
	to := w.cluster.Nodes()[0]
	if to == from {
		to = w.cluster.Nodes()[1]
	}
	w.strike(func() { w.move(from, to, n) })
}

func (w *clustered) addNode(n int) {
	w.t.Helper()
	from := w.cluster.MasterOf("room:" + roomName(0))
	w.strike(func() { w.move(from, w.cluster.AddNode(), n) })
}

// move moves n slots, and expects the first room to be among them.
func (w *clustered) move(from, to *redistest.Server, n int) {
	w.t.Helper()
	w.cluster.MoveSlots(from, to, w.slots(from, n)...)
	if w.cluster.MasterOf("room:"+roomName(0)) != to {
		w.t.Error("the slot of the first room has not moved")
	}
}

// slots are n slots of from: those of its rooms, and as many others as it takes.
func (w *clustered) slots(from *redistest.Server, n int) (all []int) {
	for room := range w.s.rooms {
		channel := "room:" + roomName(room)
		if slot := w.cluster.Slot(channel); w.cluster.MasterOf(channel) == from && !slices.Contains(all, slot) {
			all = append(all, slot)
		}
	}
	const slotsOfAll = 16384
	i := slices.Index(w.cluster.Nodes(), from)
	for slot := i * slotsOfAll / 3; len(all) < n; slot++ { // as redistest shares them out
		if !slices.Contains(all, slot) {
			all = append(all, slot)
		}
	}
	return all
}
