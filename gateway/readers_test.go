package gateway

import (
	"strconv"
	"sync"
	"testing"
)

// With sharded pub/sub there is a reader for each master, and rooms of several share a lane and a client.
func TestRoomsMayBeDeliveredFromSeveralGoroutines(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.OutboxBytes, o.MailboxBytes = 16<<20, 16<<20 })
	const readers, messages = 8, 200
	var rooms []string
	for i := range readers {
		rooms = append(rooms, "r"+strconv.Itoa(i))
	}
	c := w.dialV1(w.token(rooms...))
	var wg sync.WaitGroup
	for _, room := range rooms {
		wg.Go(func() {
			for n := range messages {
				w.Deliver(room, strconv.AppendInt(nil, int64(n), 10))
			}
			w.Gap(room)
		})
		wg.Go(func() { w.Control([]byte(`{"disconnect":{"sub":"nobody"}}`)) })
	}
	next := map[string]int{}
	for range readers * (messages + 1) {
		m := decode(t, c.Next())
		room, _ := m["room"].(string)
		if m["type"] == "gap" {
			if next[room] != messages {
				t.Errorf("room %s: gap after %d messages, want it after %d", room, next[room], messages)
			}
			continue
		}
		if got, want := m["data"], float64(next[room]); got != want {
			t.Fatalf("room %s got %v, want %v", room, got, want)
		}
		next[room]++
	}
	wg.Wait()
}
