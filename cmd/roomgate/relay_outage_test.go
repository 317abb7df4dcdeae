package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// Redis is killed and started again under load: whoever missed something has a gap where it is
// missing, and whoever has none has missed nothing.
func TestRedisKilledUnderLoadLosesNothingInSilence(t *testing.T) {
	const clients, rooms, outages = 400, 40, 2
	redis := redistest.Start(t)
	n := startNode(t, redis.URL(), "ROOMGATE_GAP_SPREAD=1s")
	all := make([]*wstest.Client, clients)
	each(clients, func(i int) { all[i] = n.dial(formatOf(i), fmt.Sprint("r", i%rooms)) })

	pub := newRelayPublisher(redis, rooms)
	watched := make([]watch, clients)
	var reading sync.WaitGroup
	for i, c := range all {
		reading.Go(func() { watched[i].read(c) })
	}
	ctx, stop := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	publishing.Go(func() { pub.run(ctx) })

	for outage := range outages {
		pub.awaitMore(t, 50*rooms)
		redis.Kill()
		began := time.Now()
		time.Sleep(300 * time.Millisecond) // of outage: what is published meanwhile is refused
		redis.Restart()
		await(t, "v1 clients have their gap", func() bool {
			for i := range watched {
				if formatOf(i) == v1 && watched[i].gaps.Load() <= int64(outage) {
					return false
				}
			}
			return true
		})
		t.Logf("outage %d: every client told %v after the kill", outage+1, time.Since(began).Round(time.Millisecond))
		pub.awaitMore(t, 50*rooms)
	}
	stop()
	publishing.Wait()
	for room := range rooms { // the end, which nobody may miss in silence either
		pub.publish(t.Context(), room)
	}
	for i, c := range all {
		if formatOf(i) == v1 {
			await(t, "the end", func() bool { return watched[i].last.Load() == pub.count[i%rooms].Load()-1 })
		}
		c.Drop()
	}
	reading.Wait()

	delivered, covered, silent, disorder := 0, 0, 0, 0
	for i := range watched {
		d, c, s, o := watched[i].judge(pub, i%rooms, formatOf(i) == v1)
		delivered, covered, silent, disorder = delivered+d, covered+c, silent+s, disorder+o
	}
	t.Logf("clients %d, published %d, delivered %d, covered by a gap %d, lost in silence %d, twice or out of order %d",
		clients, pub.total.Load(), delivered, covered, silent, disorder)
	if silent > 0 || disorder > 0 {
		t.Errorf("%d messages lost in silence, %d twice or out of order", silent, disorder)
	}
}

// formatOf gives every fourth client raw.
func formatOf(i int) string {
	if i%4 == 0 {
		return raw
	}
	return v1
}

// A relayPublisher publishes numbered messages to rooms in turn, and knows which Redis took.
type relayPublisher struct {
	redis *redistest.Server
	total atomic.Int64   // that Redis took
	count []atomic.Int64 // by room: numbers used

	mu    sync.Mutex
	taken []map[int]bool // by room: numbers that Redis took
}

func newRelayPublisher(redis *redistest.Server, rooms int) *relayPublisher {
	p := &relayPublisher{redis: redis, count: make([]atomic.Int64, rooms), taken: make([]map[int]bool, rooms)}
	for room := range p.taken {
		p.taken[room] = make(map[int]bool)
	}
	return p
}

// publish publishes the room's next message. One that fails may have been taken or not: it
// counts as neither.
func (p *relayPublisher) publish(ctx context.Context, room int) {
	number := int(p.count[room].Add(1) - 1)
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if p.redis.Client().Publish(ctx, fmt.Sprint("room:r", room), numbered(room, number)).Err() != nil {
		return
	}
	p.mu.Lock()
	p.taken[room][number] = true
	p.mu.Unlock()
	p.total.Add(1)
}

func (p *relayPublisher) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		p.publish(ctx, n%len(p.count))
	}
}

// awaitMore waits until Redis has taken n more messages.
func (p *relayPublisher) awaitMore(t *testing.T, n int) {
	t.Helper()
	want := p.total.Load() + int64(n)
	await(t, "publishing", func() bool { return p.total.Load() >= want })
}

// A watch is what one client saw, in order: message numbers, and -1 for a gap.
type watch struct {
	seen []int // the reader's until it ends
	gaps atomic.Int64
	last atomic.Int64 // number of the last message
	code int          // of the close frame; 0: none
}

const gapSeen = -1

func (w *watch) read(c *wstest.Client) {
	w.last.Store(-1)
	for {
		f, err := c.NextErr()
		if err != nil {
			return
		}
		if w.code = f.CloseCode(); w.code != 0 {
			_ = c.SendErr(wstest.Close, f.Payload[:2])
			return
		}
		var m struct {
			Type string
			N    int
			Data struct{ N int }
		}
		_ = json.Unmarshal(f.Payload, &m) // judged by what it holds
		switch m.Type {
		case "gap":
			w.seen = append(w.seen, gapSeen)
			w.gaps.Add(1)
		case "message":
			m.N = m.Data.N
			fallthrough
		default: // raw
			w.seen = append(w.seen, m.N)
			w.last.Store(int64(m.N))
		}
	}
}

// judge compares what a client saw with what Redis took: each number missing between two seen
// must have a gap between them. A raw client is told by its end, with 4205.
func (w *watch) judge(p *relayPublisher, room int, inV1 bool) (delivered, covered, silent, disorder int) {
	told := !inV1 && w.code == 4205 // a raw client's gap is its end
	next, gap := 0, false
	for _, n := range w.seen {
		switch {
		case n == gapSeen:
			gap = true
			continue
		case n < next:
			disorder++
			continue
		}
		for missing := next; missing < n; missing++ {
			switch {
			case !p.taken[room][missing]: // Redis refused it, or it is not known
			case gap || told:
				covered++
			default:
				silent++
			}
		}
		delivered++
		next, gap = n+1, false
	}
	if !inV1 && !told {
		silent++ // there were outages
	}
	return delivered, covered, silent, disorder
}
