package pubsub

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// shardedOptions are those of a Broker for sharded pub/sub with c. A silent master is found within seconds, but not for a
// machine that is busy, since tests count gaps.
func shardedOptions(c *redistest.Cluster) Options {
	return Options{
		URL: c.URL(), Sharded: true, ChannelPrefix: prefix, LeaveDelay: 50 * time.Millisecond,
		CanaryInterval: 200 * time.Millisecond, CanaryTimeout: 4 * time.Second, Timeout: 2 * time.Second,
	}
}

// spublish publishes to a room as a backend does.
func spublish(t testing.TB, c *redis.ClusterClient, room, payload string) {
	t.Helper()
	if err := c.SPublish(context.Background(), prefix+room, payload).Err(); err != nil {
		t.Errorf("SPUBLISH to %s: %v", room, err)
	}
}

// heardByAll publishes payload to n rooms named 0, 1, …, and waits until it has come to each.
func heardByAll(t testing.TB, backend *redis.ClusterClient, r *recorder, n int, payload string) {
	t.Helper()
	for i := range n {
		spublish(t, backend, strconv.Itoa(i), payload)
	}
	eventually(t, payload+" to all", func() bool {
		for i := range n {
			if got := r.got(strconv.Itoa(i)); len(got) == 0 || got[len(got)-1] != payload {
				return false
			}
		}
		return true
	})
}

// roomsAt are those of n rooms named 0, 1, … that a master has, with a gap each.
func roomsAt(c *redistest.Cluster, s *redistest.Server, n int) map[string]int {
	gaps := map[string]int{}
	for i := range n {
		if room := strconv.Itoa(i); c.MasterOf(prefix+room) == s {
			gaps[room] = 1
		}
	}
	return gaps
}

func TestSlotsAreThoseOfRedis(t *testing.T) {
	for channel, want := range map[string]int{ // as CLUSTER KEYSLOT has them
		"123456789": 12739, "foo": 12182, "{user1000}.following": 3443, "{user1000}.followers": 3443,
		"foo{}{bar}": 8363, "foo{{bar}}zap": 4015, "foo{bar}{zap}": 5061, "": 0,
	} {
		if got := slotOf(channel); got != want {
			t.Errorf("slotOf(%q) = %d, want %d", channel, got, want)
		}
	}
}

func TestShardedRoomsGetTheirMessagesFromEachMaster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	reg := secrecy.Registry(t)
	o := shardedOptions(c)
	o.Metrics, o.ControlChannel = reg, "roomgate:control"
	b, r := run(t, o)
	ready(t, b)
	const n = 300
	hold(t, b, n)
	backend := c.Client()
	heardByAll(t, backend, r, n, "x")
	for i := range n {
		if err := b.Publish(t.Context(), strconv.Itoa(i), []byte("y")); err != nil {
			t.Fatal(err)
		}
	}
	if err := backend.Publish(t.Context(), prefix+"0", "classic").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two messages each", func() bool {
		for i := range n {
			if len(r.got(strconv.Itoa(i))) < 2 {
				return false
			}
		}
		return true
	})
	for i := range n {
		if got := r.got(strconv.Itoa(i)); strings.Join(got, "") != "xy" {
			t.Errorf("room %d got %q, want x and y", i, got)
		}
	}
	// A command goes by PUBLISH, whatever the node.
	for _, s := range c.Masters() {
		before := len(r.controls())
		eventually(t, "the control channel", func() bool {
			if err := s.Client().Publish(t.Context(), o.ControlChannel, "{}").Err(); err != nil {
				t.Fatal(err)
			}
			return len(r.controls()) > before
		})
	}
	for _, name := range []string{"roomgate_redis_masters", "roomgate_redis_masters_proven"} {
		eventually(t, name, func() bool { return count(t, reg, name, "") == 3 })
	}
	if gaps := r.gapsByRoom(); len(gaps) > 0 {
		t.Errorf("gaps: %v, want none", gaps)
	}
}

func TestASlotThatMovesGivesAGapToExactlyItsRooms(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	b, r := run(t, shardedOptions(c))
	ready(t, b)
	const n = 200
	hold(t, b, n)
	backend := c.Client()
	heardByAll(t, backend, r, n, "before")
	from, to := c.Masters()[0], c.Masters()[1]
	want := map[string]int{}
	var slots []int
	for room := range roomsAt(c, from, n) {
		if len(slots) < 10 {
			slots = append(slots, c.Slot(prefix+room))
		}
	}
	for i := range n {
		for _, slot := range slots {
			if c.Slot(prefix+strconv.Itoa(i)) == slot {
				want[strconv.Itoa(i)] = 1
			}
		}
	}
	c.MoveSlots(from, to, slots...)
	eventually(t, "gaps", func() bool { return len(r.gapsByRoom()) >= len(want) })
	heardByAll(t, backend, r, n, "after")
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	if err := b.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}

	// A master that gets its first slots is found, and one that has none any more is let go.
	added := c.AddNode()
	for _, way := range []struct {
		from, to *redistest.Server
		masters  int
		payload  string
	}{{to, added, 4, "added"}, {added, to, 3, "let go"}} {
		c.MoveSlots(way.from, way.to, slots...)
		for room := range want {
			want[room]++
		}
		eventually(t, "gaps", func() bool { return maps.Equal(r.gapsByRoom(), want) })
		heardByAll(t, backend, r, n, way.payload)
		eventually(t, "as many masters as there are", func() bool {
			all, good := b.shards.masters(time.Now())
			return all == way.masters && good == all
		})
	}
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
}

func TestAMasterThatDiesCostsItsRoomsAGapAndNobodyReadiness(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	b, r := run(t, shardedOptions(c))
	ready(t, b)
	const n = 200
	hold(t, b, n)
	backend := c.Client()
	heardByAll(t, backend, r, n, "before")
	dead := c.Masters()[1]
	want := roomsAt(c, dead, n)
	slot := c.Slot(prefix + first(want))
	over := make(chan struct{})
	go func() { // ends with the test's own words
		defer close(over)
		for until := time.Now().Add(6 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			if err := b.Ready(); err != nil {
				t.Errorf("not ready with two of three masters: %v", err)
				return
			}
		}
	}()
	dead.Kill()
	c.AwaitNewMasterFor(slot, dead)
	eventually(t, "gaps", func() bool { return len(r.gapsByRoom()) >= len(want) })
	<-over
	c.AwaitAgreement()
	heardByAll(t, c.Client(), r, n, "after")
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	eventually(t, "all proven", func() bool { all, good := b.shards.masters(time.Now()); return all == 3 && good == 3 })
}

func first(m map[string]int) string {
	for k := range m {
		return k
	}
	return ""
}

func TestWithoutMostMastersItIsNotReady(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	b, r := run(t, shardedOptions(c))
	ready(t, b)
	const n = 60
	hold(t, b, n)
	masters := c.Masters()
	want := roomsAt(c, masters[0], n)
	maps.Copy(want, roomsAt(c, masters[1], n))
	masters[0].Pause()
	masters[1].Pause()
	eventually(t, "unready", func() bool { return b.Ready() != nil })
	if err := b.Ready(); !strings.Contains(err.Error(), "2 of 3 masters are not proven") {
		t.Errorf("Ready() = %v, want it to name how many are not proven", err)
	}
	masters[0].Resume()
	masters[1].Resume()
	c.AwaitAgreement()
	ready(t, b)
	heardByAll(t, c.Client(), r, n, "after")
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
}

// A master that stops is replaced, and comes back in the belief that it is one. Its rooms get one gap, and what it says
// of itself is outvoted.
func TestAMasterThatComesBackIsOutvoted(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	b, r := run(t, shardedOptions(c))
	ready(t, b)
	const n = 100
	hold(t, b, n)
	stopped := c.Masters()[2]
	want := roomsAt(c, stopped, n)
	slot := c.Slot(prefix + first(want))
	stopped.Pause()
	c.AwaitNewMasterFor(slot, stopped)
	eventually(t, "gaps", func() bool { return maps.Equal(r.gapsByRoom(), want) })
	heardByAll(t, c.Client(), r, n, "replaced")
	stopped.Resume()
	c.AwaitAgreement()
	heardByAll(t, c.Client(), r, n, "back")
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
}

// canariesAt are the canary channels that somebody hears at a master.
func canariesAt(t testing.TB, s *redistest.Server) []string {
	t.Helper()
	channels, err := s.Client().PubSubShardChannels(t.Context(), canaryPrefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return channels
}

func TestACanaryWhoseSlotMovesIsReplacedAndCostsNothing(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	reg := secrecy.Registry(t)
	o := shardedOptions(c)
	o.Metrics = reg
	b, r := run(t, o)
	ready(t, b)
	const n = 50
	hold(t, b, n)
	from, to := c.Masters()[0], c.Masters()[1]
	eventually(t, "a canary each", func() bool { return len(canariesAt(t, from)) == 1 && len(canariesAt(t, to)) == 1 })
	old := canariesAt(t, from)[0]
	slot := c.Slot(old)
	want := map[string]int{}
	for i := range n {
		if room := strconv.Itoa(i); c.Slot(prefix+room) == slot {
			want[room] = 1
		}
	}
	c.MoveSlots(from, to, slot)
	eventually(t, "another canary", func() bool {
		now := canariesAt(t, from)
		return len(now) == 1 && now[0] != old
	})
	// For longer than silence would be borne.
	trips := count(t, reg, "roomgate_redis_round_trip_seconds", "")
	eventually(t, "canaries of all for a while", func() bool {
		return count(t, reg, "roomgate_redis_round_trip_seconds", "") > trips+3*float64(3*o.CanaryTimeout/2/o.CanaryInterval)
	})
	if all, good := b.shards.masters(time.Now()); all != 3 || good != 3 {
		t.Errorf("%d of %d masters proven, want 3 of 3", good, all)
	}
	for _, reason := range reasons {
		if got := count(t, reg, "roomgate_redis_reconnects_total", string(reason)); got != 0 {
			t.Errorf("%v links ended for %s, want none", got, reason)
		}
	}
	heardByAll(t, c.Client(), r, n, "after")
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
}

// Rooms are left and joined while their slots move to and fro, so that what Redis says unasked meets what it was
// asked. Whoever holds a room in the end gets what is published.
func TestRoomsMayBeLeftWhileTheirSlotsMove(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 2, 0)
	o := shardedOptions(c)
	o.LeaveDelay = time.Millisecond
	b, r := run(t, o)
	ready(t, b)
	// Several rooms of a slot, so that one SUNSUBSCRIBE names them all.
	const slots, each = 8, 6
	var rooms []string
	moving := map[int]string{} // by slot, a room of it
	for i := range slots {
		for j := range each {
			room := fmt.Sprintf("{%d}-%d", i, j)
			rooms = append(rooms, room)
			moving[c.Slot(prefix+room)] = room
		}
	}
	from, to := c.Masters()[0], c.Masters()[1]
	var first []int
	for slot, room := range moving {
		if c.MasterOf(prefix+room) != from {
			first = append(first, slot)
		}
	}
	c.MoveSlots(to, from, first...) // all are at one
	for range 6 {
		for _, room := range rooms {
			subscribe(t, b, room)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, room := range rooms {
				b.Unsubscribe(room)
			}
		})
		c.MoveSlots(from, to, slices.Collect(maps.Keys(moving))...)
		from, to = to, from
		wg.Wait()
	}
	for _, room := range rooms {
		subscribe(t, b, room)
	}
	eventually(t, "sound books", func() bool { return b.Check() == nil })
	backend := c.Client()
	for _, room := range rooms {
		spublish(t, backend, room, "x")
	}
	eventually(t, "all messages", func() bool {
		for _, room := range rooms {
			if len(r.got(room)) != 1 {
				return false
			}
		}
		return true
	})
}
