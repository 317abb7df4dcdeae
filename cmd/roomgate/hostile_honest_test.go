//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// honest are clients that do nothing wrong, in rooms to which numbered messages are published,
// each with the time at which it was.
type honest struct {
	t       testing.TB
	clients []*honestClient
	rooms   int
	rate    int // messages a second to each room

	phase   atomic.Int32 // whose latencies are taken now
	reading sync.WaitGroup
	stop    context.CancelFunc
	sending sync.WaitGroup
}

// The phases of a hostile run.
const (
	phaseNone = iota // starting, or between two
	phaseQuiet
	phaseHostile
	phases
)

type honestClient struct {
	*wstest.Client
	took [phases][]time.Duration // the reader's, until it ends
	seen int
	err  error
}

// endMark is in the last message of each room.
const endMark = `"end":true`

// startHonest connects n clients and begins to publish.
func startHonest(t testing.TB, g *gate, server *redistest.Server, n, rooms, rate int) *honest {
	t.Helper()
	h := &honest{t: t, clients: make([]*honestClient, n), rooms: rooms, rate: rate}
	each(n, func(i int) { // from a hundred addresses, as there are people
		room := honestRoom(i % rooms)
		c := dialFrom(t, g, 1, i%100, "Sec-WebSocket-Protocol: "+v1, "Authorization: Bearer "+newToken(t, fmt.Sprint("honest", i), room))
		c.WantType("hello")
		h.clients[i] = &honestClient{Client: c}
	})
	for _, c := range h.clients {
		h.reading.Go(func() { c.err = c.read(&h.phase) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	h.stop = cancel
	const publishers = 4
	for p := range publishers {
		to := server.Client()
		h.sending.Go(func() { h.publish(ctx, to, p, publishers) })
	}
	return h
}

func honestRoom(i int) string { return fmt.Sprint("honest:", i) }

// dialFrom connects to a gate from one of its peer's addresses on loopback: 127.net.0.host.
func dialFrom(t testing.TB, g *gate, network, host int, header ...string) *wstest.Client {
	t.Helper()
	nc, err := dialLoopback(g.addr, network, host)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wstest.Over(t, nc, g.url(), header...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// publish publishes to every step-th room from first on, at the rate, until ctx ends; then a
// last message.
func (h *honest) publish(ctx context.Context, to *redis.Client, first, step int) {
	began, every := time.Now(), time.Second/time.Duration(h.rate)
	for n := 0; ; n++ {
		last := ctx.Err() != nil
		mark := ""
		if last {
			mark = "," + endMark
		}
		for room := first; room < h.rooms; room += step {
			due := began.Add(time.Duration(n)*every + time.Duration(room)*every/time.Duration(h.rooms))
			time.Sleep(time.Until(due)) // the publisher's own pace
			payload := fmt.Sprintf(`{"n":%d,"at":%d%s}`, n, time.Now().UnixNano(), mark)
			if err := to.Publish(context.Background(), "room:"+honestRoom(room), payload).Err(); err != nil {
				h.t.Errorf("publishing: %v", err)
				return
			}
		}
		if last {
			return
		}
	}
}

// read expects every number from 0 to the one with the end mark, and nothing else.
func (c *honestClient) read(phase *atomic.Int32) error {
	for {
		f, err := c.NextErr()
		if err != nil {
			return err
		}
		now := time.Now().UnixNano()
		n, ok := number(f.Payload, `"n":`)
		at, ok2 := number(f.Payload, `"at":`)
		if !ok || !ok2 || n != int64(c.seen) {
			return fmt.Errorf("got %v, want message %d", f, c.seen)
		}
		c.seen++
		p := phase.Load()
		c.took[p] = append(c.took[p], time.Duration(now-at))
		if bytes.Contains(f.Payload, []byte(endMark)) {
			return nil
		}
	}
}

// number returns the number behind key.
func number(b []byte, key string) (int64, bool) {
	_, rest, ok := bytes.Cut(b, []byte(key))
	if !ok {
		return 0, false
	}
	end := bytes.IndexAny(rest, ",}")
	if end < 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return n, err == nil
}

// finish stops publishing and waits until everybody has everything. It returns how many
// messages came, and reports who lost one or was closed.
func (h *honest) finish() (received int) {
	h.t.Helper()
	h.phase.Store(phaseNone)
	h.stop()
	h.sending.Wait()
	h.reading.Wait()
	lost := 0
	for i, c := range h.clients {
		received += c.seen
		if c.err != nil {
			if lost++; lost <= 5 {
				h.t.Errorf("honest client %d: %v", i, c.err)
			}
		}
	}
	if lost > 0 {
		h.t.Errorf("%d of %d honest clients lost something or were closed", lost, len(h.clients))
	}
	return received
}

// took returns the 50th and 99th percentile and the maximum of what messages took in a phase.
func (h *honest) took(phase int) latencies {
	var all []time.Duration
	for _, c := range h.clients {
		all = append(all, c.took[phase]...)
	}
	return percentiles(all)
}

type latencies struct {
	n             int
	p50, p99, max time.Duration
}

func percentiles(all []time.Duration) latencies {
	if len(all) == 0 {
		return latencies{}
	}
	slices.Sort(all)
	return latencies{len(all), all[len(all)/2], all[len(all)*99/100], all[len(all)-1]}
}

func (l latencies) String() string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, max %v, of %d", round(l.p50), round(l.p99), round(l.max), l.n)
}

// newcomers connect one after another, until ctx ends, and read hello.
func newcomers(ctx context.Context, t testing.TB, g *gate, every time.Duration) []time.Duration {
	var took []time.Duration
	token := newToken(t, "newcomer", honestRoom(0))
	for i := 0; ctx.Err() == nil; i++ {
		began := time.Now()
		nc, err := dialLoopback(g.addr, 1, i%100)
		if err == nil {
			var c *wstest.Client
			c, err = wstest.Over(t, nc, g.url(), "Sec-WebSocket-Protocol: "+v1, "Authorization: Bearer "+token)
			if err == nil {
				err = wantHello(c)
			}
			nc.Close()
		}
		if err != nil {
			t.Errorf("newcomer %d: %v", i, err)
			return took
		}
		took = append(took, time.Since(began))
		time.Sleep(max(0, every-time.Since(began)))
	}
	return took
}

func wantHello(c *wstest.Client) error {
	f, err := c.NextErr() // fails if the answer was no upgrade
	if err == nil && !bytes.HasPrefix(f.Payload, []byte(`{"type":"hello"`)) {
		err = fmt.Errorf("got %v, want hello", f)
	}
	return err
}
