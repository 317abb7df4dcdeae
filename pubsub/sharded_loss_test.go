package pubsub

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

// As TestNothingIsLostSilently, with sharded pub/sub, while slots move, connections are killed, and a master dies.
func TestNothingIsLostSilentlyWhileSlotsMove(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	backend := c.Client()
	kill := func() {
		for _, s := range c.Masters() {
			s.Client().ClientKillByFilter(context.Background(), "TYPE", "pubsub")
		}
	}
	var slots []int
	seen := map[int]bool{}
	from, to := c.Masters()[0], c.Masters()[1]
	for i := range 100 {
		if slot := c.Slot(prefix + strconv.Itoa(i)); c.MasterOf(prefix+strconv.Itoa(i)) == from && !seen[slot] {
			seen[slot] = true
			slots = append(slots, slot)
		}
	}
	nothingIsLost(t, shardedOptions(c), func(channel, payload string) error {
		return backend.SPublish(context.Background(), channel, payload).Err()
	}, func() { c.MoveSlots(from, to, slots...) }, kill, func() { c.MoveSlots(to, from, slots...) }, func() {
		from.Kill()
		c.AwaitNewMasterFor(slots[0], from)
	}, kill)
}

// Nearly each room has a slot of its own, and so a SSUBSCRIBE.
func TestManyShardedRoomsAreSubscribedQuickly(t *testing.T) {
	c := redistest.StartCluster(t, 3, 0)
	b, _ := run(t, shardedOptions(c))
	ready(t, b)
	began := time.Now()
	hold(t, b, 20000)
	took := time.Since(began)
	t.Logf("20,000 rooms over 3 masters: %v", took)
	if took > patience/2 {
		t.Errorf("20,000 rooms took %v", took)
	}
}
