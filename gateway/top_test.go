package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/wstest"
)

func (w *world) top(n int) Top {
	w.t.Helper()
	t, err := w.Top(w.t.Context(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

func TestTopRanksRoomsByMembersAndByMessagesSinceTheLook(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 9 { // over all lanes
		w.fill(fmt.Sprint("room-", i), i+1)
	}
	for range 7 {
		w.publishText("room-2", "hi")
	}
	w.publishText("room-8", "hi")
	w.settle("room-2")
	w.settle("room-8")
	got := w.top(2)
	if want := []RoomCount{{"room-8", 9, 1}, {"room-7", 8, 0}}; !reflect.DeepEqual(got.ByMembers, want) {
		t.Errorf("by members: got %v, want %v", got.ByMembers, want)
	}
	if want := []RoomCount{{"room-2", 3, 7}, {"room-8", 9, 1}}; !reflect.DeepEqual(got.ByMessages, want) {
		t.Errorf("by messages: got %v, want %v", got.ByMessages, want)
	}
	if got.Rooms != 9 || got.Over <= 0 {
		t.Errorf("got %d rooms over %v, want 9 over some time", got.Rooms, got.Over)
	}
	w.publishText("room-0", "hi")
	w.settle("room-0")
	if got, want := w.top(2).ByMessages, []RoomCount{{"room-0", 1, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("since the last look: got %v, want %v", got, want)
	}
}

func TestTopCountsMessagesOfARoomThatIsBeingSentTo(t *testing.T) {
	w := newWorld(t, nil)
	w.fill("large", largeRoom+1)
	for range 20 {
		w.publishText("large", "hi")
	}
	count := uint64(0)
	w.await("all messages", func() bool {
		if top := w.top(1); len(top.ByMessages) == 1 {
			count += top.ByMessages[0].Messages
		}
		return count == 20
	})
}

func TestTalkersAreUsersAndOfThoseWithoutASubConnections(t *testing.T) {
	w := newWorld(t, nil)
	one, two := w.dialV1(w.token("42")), w.dialV1(w.token("42"))
	nobody := w.dialV1(w.tokenWith(map[string]any{"sub": ""}))
	w.dialV1(w.tokenWith(map[string]any{"sub": "silent"}))
	ping := func(c *wstest.Client, n int) {
		for range n {
			c.SendText(`{"type":"ping"}`)
			c.WantType("pong")
		}
	}
	ping(one, 3)
	ping(two, 2)
	ping(nobody, 1)
	got := w.top(5).Talkers
	if len(got) != 2 || got[0] != (Talker{Sub: "u1", Messages: 5, Connections: 2}) {
		t.Fatalf("got %v, want u1 with 5 messages on 2 connections first", got)
	}
	if c := got[1]; c.Sub != "" || len(c.Conn) != 16 || c.Messages != 1 || c.Connections != 1 {
		t.Errorf("got %v, want the connection without a sub, by its id", c)
	}
	if got := w.top(5).Talkers; len(got) != 0 {
		t.Errorf("since the last look: got %v, want nobody", got)
	}
}

func TestTopSaysThatALaneDoesNotAnswer(t *testing.T) {
	w := newWorld(t, nil)
	release := w.holdLane("42")
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Top(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that a lane did not answer", err)
	}
}

// Lanes are asked one after the other, so that the first has answered when the last does not.
func TestTopTellsLaterWhatItSawWhenALaneDidNotAnswer(t *testing.T) {
	w := newWorld(t, nil)
	of := func(l *lane) (room string) {
		for i := 0; room == ""; i++ {
			if name := fmt.Sprint("room-", i); w.laneOf(name) == l {
				room = name
			}
		}
		return room
	}
	first, last := of(w.lanes[0]), of(w.lanes[len(w.lanes)-1])
	w.fill(first, 1)
	say := func(want uint64) {
		t.Helper()
		w.publishText(first, "hi")
		w.settle(first)
		if got, want := w.top(1).ByMessages, []RoomCount{{first, 1, want}}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	say(1)
	w.publishText(first, "hi")
	w.settle(first)
	release := w.holdLane(last)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := w.Top(ctx, 1)
		failed <- err
	}()
	w.await("the first lane's answer", func() bool {
		looked := make(chan uint64, 1)
		w.lanes[0].post(event{kind: eventCall, call: func() { looked <- w.lanes[0].looked }})
		return <-looked == 2
	})
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that a lane did not answer", err)
	}
	release()
	say(2)
	say(1)
}

func TestRankingKeepsTheHighestAndAmongEqualsTheFirstNames(t *testing.T) {
	r := ranking[string]{most: 3}
	for i, name := range []string{"c", "b", "e", "a", "d", "f"} {
		count := uint64(1)
		if i == 5 {
			count = 2
		}
		r.offer(ranked[string]{count, name, name})
	}
	if got, want := r.items(), []string{"f", "a", "b"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	none := ranking[string]{}
	none.offer(ranked[string]{1, "a", "a"})
	if got := none.items(); len(got) != 0 {
		t.Errorf("a ranking of none has %v", got)
	}
}

// What Top counts stands where there was padding.
func TestCountingForTopTakesNoMemory(t *testing.T) {
	type without struct {
		_ *Gateway
		_ uint64
		_ format
		_ encoding
		_ [2]uintptr // ws, br
		_ client
		_ outbox
		_ [2]uintptr // session, ended
		_ uint32     // greeted; padding
		_ int64      // lastLife
		_ uint32     // handling; padding
		_ [2]int64   // closeBy, gapAt
		_ uint32     // parked; padding
		_ owned
		_ timed
		_ wheelSlot
	}
	if got, want := unsafe.Sizeof(conn{}), unsafe.Sizeof(without{}); got != want {
		t.Errorf("a connection has %d bytes, and %d without the counters", got, want)
	}
	const class = 160 // of Go's allocator, as it was without them: 152 bytes
	if got := unsafe.Sizeof(room{}); got > class {
		t.Errorf("a room has %d bytes, want at most %d", got, class)
	}
}

// BenchmarkTop is a look at 50,000 rooms of one member, all of which had a message.
func BenchmarkTop(b *testing.B) {
	w := newWorld(b, nil)
	const rooms = 50_000
	names := make([]string, rooms)
	for i := range names {
		names[i] = fmt.Sprint("room-", i)
		w.laneOf(names[i]).post(event{kind: eventJoin, m: &membership{c: &conn{}, room: names[i]}})
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := w.top(20); got.Rooms != rooms {
			b.Fatalf("got %d rooms", got.Rooms)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rooms), "ns/room")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(w.lanes)), "µs/lane")
}

// BenchmarkTalkers is a look at who talks among 100,000 connections. It is beside the lanes: what it keeps from its work is who comes and goes,
// for as long as the list of connections takes.
func BenchmarkTalkers(b *testing.B) {
	const connections = 100_000
	for _, bench := range []struct {
		name  string
		users int
		talk  uint32
	}{{"silent", connections, 0}, {"of 1,000 users", 1000, 1}, {"each of another user", connections, 1}} {
		b.Run(bench.name, func(b *testing.B) {
			w := newWorld(b, nil)
			list := make([]*conn, connections)
			w.mu.Lock()
			for i := range list {
				c := &conn{g: w.Gateway, id: uint64(i)}
				c.session.Store(&session{grant: &auth.Grant{Subject: fmt.Sprint("user-", i%bench.users)}})
				w.conns[c], list[i] = struct{}{}, c
			}
			w.mu.Unlock()
			b.Cleanup(func() { // they are nobody's: an invariant would not hold
				w.mu.Lock()
				defer w.mu.Unlock()
				clear(w.conns)
			})
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				for _, c := range list {
					c.sent.Add(bench.talk)
				}
				b.StartTimer()
				w.talkers(20)
			}
			b.StopTimer()
			start := time.Now()
			w.list()
			b.ReportMetric(float64(time.Since(start).Microseconds()), "µs/list")
		})
	}
}
