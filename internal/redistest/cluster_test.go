package redistest

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestAReplicaTakesOverInACluster(t *testing.T) {
	c := StartCluster(t, 3, 1)
	const channel = "a room"
	old := c.MasterOf(channel)
	if got := c.Masters(); len(got) != 3 || got[0] != c.Nodes()[0] {
		t.Errorf("%d masters at first, want the first 3 nodes", len(got))
	}
	old.Kill()
	m := c.AwaitNewMasterFor(c.Slot(channel), old)
	if m == old || c.MasterOf(channel) != m {
		t.Errorf("%s is master of the slot, want %s", c.MasterOf(channel).Addr(), m.Addr())
	}
	old.Restart()
	await(t, "the old master as a replica", func() error { return c.ready(1) })
	if err := c.Client().Set(t.Context(), channel, "v", 0).Err(); err != nil {
		t.Error(err)
	}
}

func TestSlotsMoveToANewNode(t *testing.T) {
	c := StartCluster(t, 2, 0, "--requirepass", "a-password-of-redis")
	const room = "a room"
	from, to := c.MasterOf(room), c.AddNode()
	sub := c.Client().SSubscribe(t.Context(), room)
	defer sub.Close()
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.MoveSlots(from, to, c.Slot(room), c.Slot(room)+1)
	if got := c.MasterOf(room); got != to {
		t.Errorf("the slot is of %s, want %s", got.Addr(), to.Addr())
	}
	if got := c.Masters(); len(got) != 3 {
		t.Errorf("%d masters, want the new one too", len(got))
	}
	got, err := sub.Receive(t.Context())
	if end, ok := got.(*redis.Subscription); !ok || end.Kind != "sunsubscribe" {
		t.Errorf("the subscriber got %v, %v; want the end of its subscription", got, err)
	}
}

func TestASlotIsThatOfRedis(t *testing.T) {
	c := StartCluster(t, 1, 0)
	for _, key := range []string{"", "room", "{room}", "{room}x{y}", "a{}b", "a{b", "a}b{c}", "a{{b}}", "ü"} {
		want, err := c.Client().ClusterKeySlot(t.Context(), key).Result()
		if err != nil || c.Slot(key) != int(want) {
			t.Errorf("Slot(%q) = %d, want %d, %v", key, c.Slot(key), want, err)
		}
	}
}
