//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// warm is how long messages flow before any is counted.
const warm = 500 * time.Millisecond

var errNothing = errors.New("nothing that was published was delivered")

// A measurement is what one run of messages cost, and how it went.
type measurement struct {
	Server float64 `json:"server_us,omitempty"` // CPU of the server for each delivery, in µs; 0: it did other things, too
	Redis  float64 `json:"redis_us,omitempty"`
	Client float64 `json:"client_us,omitempty"` // of this process, which publishes too

	Due        int64   `json:"due"` // messages that were to be published
	Published  int64   `json:"published"`
	Expected   int64   `json:"expected"`
	Lost       int64   `json:"lost"`
	Duplicated int64   `json:"duplicated"`
	OutOfOrder int64   `json:"out_of_order"`
	Strays     int64   `json:"strays"` // came to a client that is not in the room
	Late       int64   `json:"late"`   // of those due: published too late, or not at all
	Closed     int64   `json:"closed"` // connections
	Seconds    float64 `json:"seconds"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
	Max        float64 `json:"max_ms"`
	RSS        float64 `json:"rss_mb"` // of the server, at the end
}

// shared returns m without CPU: the processes did more in that time than what m counts.
func (m measurement) shared() measurement {
	m.Server, m.Redis, m.Client = 0, 0, 0
	return m
}

// whole reports whether each message came once to each member, in order.
func (m measurement) whole() bool {
	return m.Expected > 0 && m.Lost == 0 && m.Duplicated == 0 && m.OutOfOrder == 0 && m.Strays == 0 && m.Closed == 0
}

// A flow is the messages of a run.
type flow struct {
	rate     float64 // messages a second, over all rooms in turn
	size     int     // bytes
	duration time.Duration
	rename   func(room string, i int) string // the room that message i of all goes to instead; nil: the same
}

// check refuses what load would refuse once all are connected.
func (f flow) check() error {
	if f.size < load.MinSize {
		return fmt.Errorf("-size %d: %d is the least, for what a message is counted by", f.size, load.MinSize)
	}
	if messages := f.rate * f.duration.Seconds(); messages < 1 || messages > math.MaxUint32 {
		return fmt.Errorf("-rate %v for -duration %v: that must be from one message to %d", f.rate, f.duration, math.MaxUint32)
	}
	return nil
}

// measure sends messages to clients, and returns what came of them.
func (s *subject) measure(ctx context.Context, r *rig, c *load.Clients, f flow) (measurement, error) {
	pub, err := s.publisher(ctx)
	if err != nil {
		return measurement{}, err
	}
	defer func() { _ = pub.Close() }()
	publish, i := pub.Publish, 0
	if f.rename != nil {
		publish = func(room string, payload []byte) error { i++; return pub.Publish(f.rename(room, i-1), payload) }
	}
	cpu := clocks{server: s.process, redis: r.redis}
	result, err := c.Run(ctx, load.Traffic{
		Rate: f.rate, Size: f.size, Warm: warm, Duration: f.duration, Settle: 1500 * time.Millisecond,
		Publish: publish, Flush: pub.Flush, Begin: cpu.begin, End: cpu.end,
	}, nil)
	if err != nil {
		return measurement{}, err
	}
	if result.Delivered == 0 {
		return measurement{}, errNothing
	}
	memory, err := s.memory()
	share := func(d time.Duration) float64 { return micros(d) / float64(result.Delivered) }
	return measurement{
		Server: share(cpu.used[0]), Redis: share(cpu.used[1]), Client: share(result.OwnCPU),
		Due: result.Due, Published: result.Published, Expected: result.Expected, Lost: result.Lost, Duplicated: result.Duplicated,
		OutOfOrder: result.OutOfOrder, Strays: result.Strays, Late: result.Late, Closed: result.Closed, Seconds: result.Elapsed.Seconds(),
		P50: millis(result.Latency.P50), P99: millis(result.Latency.P99), P999: millis(result.Latency.P999), Max: millis(result.Latency.Max),
		RSS: float64(memory.rss) / 1e6,
	}, err
}

// clocks tell how much CPU a server and Redis use between begin and end.
type clocks struct {
	server, redis *process
	used          [2]time.Duration // of either
}

func (c *clocks) begin() error { return c.add(-1) }
func (c *clocks) end() error   { return c.add(1) }

func (c *clocks) add(sign time.Duration) error {
	for i, p := range []*process{c.server, c.redis} {
		used, err := p.cpu()
		if err != nil {
			return err
		}
		c.used[i] += sign * used
	}
	return nil
}

// with starts a peer, connects its clients, and calls do.
func with(ctx context.Context, r *rig, p peer, connections, rooms int, do func(*subject, *load.Clients) error) error {
	s, err := p.start(ctx, r)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name(), err)
	}
	defer s.stop()
	c, err := s.dial(ctx, connections, rooms)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name(), err)
	}
	defer func() { _ = c.Close() }() // its connections are all that it has
	if err := do(s, c); err != nil {
		return fmt.Errorf("%s: %w", p.name(), err)
	}
	return nil
}
