package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// Two gateways on one Redis: what is published reaches every client of its room on both, in
// order, once, and nobody else.
func TestTwoNodesRelayEachMessageOnceInOrderToItsRoomOnly(t *testing.T) {
	const clients, rooms, messages = 2000, 200, 20000
	redis := redistest.Start(t)
	nodes := []*node{startNode(t, redis.URL()), startNode(t, redis.URL())}

	all := make([]*wstest.Client, clients)
	each(clients, func(i int) {
		format := v1
		if i/rooms%3 == 0 {
			format = raw
		}
		all[i] = nodes[i/rooms%2].dial(format, fmt.Sprint("r", i%rooms))
	})
	start := time.Now()
	var reading sync.WaitGroup
	for i, c := range all {
		reading.Go(func() { wantRoomExactly(t, c, i%rooms, messages/rooms, i/rooms%3 != 0) })
	}
	pipe := redis.Client().Pipeline()
	for n := range messages/rooms + 1 { // the last one says that there are no more
		for room := range rooms {
			pipe.Publish(t.Context(), fmt.Sprint("room:r", room), numbered(room, n))
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	reading.Wait()
	t.Logf("%d clients in %d rooms on 2 nodes, %d messages, %d deliveries: none lost, twice or out of order, in %v",
		clients, rooms, messages, messages*clients/rooms, time.Since(start).Round(time.Millisecond))
}

// wantRoomExactly reads n messages of a room and one more, and expects them in order.
func wantRoomExactly(t *testing.T, c *wstest.Client, room, n int, inV1 bool) {
	for i := range n + 1 {
		want := numbered(room, i)
		if inV1 {
			want = fmt.Sprintf(`{"type":"message","room":"r%d","data":%s}`, room, want)
		}
		f, err := c.NextErr()
		if err != nil || string(f.Payload) != want {
			t.Errorf("client of room %d: got %v %v, want %s", room, f, err, want)
			return
		}
	}
}
