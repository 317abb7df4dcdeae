//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roomgate/roomgate/internal/load"
)

// A calm is connections that get no message: each in a room of its own.
type calm struct {
	memory int           // connections at which memory is measured
	cpu    int           // and at which CPU is, of pings and pongs; 0: it is not
	settle time.Duration // before memory is, for what connecting left to be collected or not, as it is in life
	period time.Duration // how long CPU is
}

// defaultPeriod is in which each connection is pinged twice.
const defaultPeriod = 2 * heartbeat

// A rest is what they cost.
type rest struct {
	Connections int     `json:"connections"`
	Connect     float64 `json:"connect_us"`   // CPU of the server for each, token verified and subscribed, in µs
	Seconds     float64 `json:"connect_secs"` // until all were connected
	PSS         float64 `json:"pss_kb"`       // of the server, each
	RSS         float64 `json:"rss_kb"`

	CPUConnections int     `json:"cpu_connections"` // 0: CPU was not measured
	CPU            float64 `json:"cpu_percent"`     // of one core
	CPUSeconds     float64 `json:"cpu_secs"`        // how long it was measured
	Pings          float64 `json:"pings_each"`      // that a client answered in that time
}

// check refuses what would not measure what it says.
func (c calm) check() error {
	switch {
	case c.memory < 1:
		return fmt.Errorf("-connections %d: at least one is needed", c.memory)
	case c.cpu == 0:
		return nil
	case c.cpu < c.memory:
		return fmt.Errorf("-idle-connections %d: CPU is measured at those of -connections, %d, and more that are added to them. Give as many at least, fewer -connections, or 0 to leave it out",
			c.cpu, c.memory)
	case c.period <= 0 || c.period%heartbeat != 0:
		return fmt.Errorf("-idle-duration %v: it must be a multiple of the heartbeat, %v, such as %v, so that each connection is pinged as often as any other",
			c.period, heartbeat, defaultPeriod)
	}
	return nil
}

// measure starts p and measures c.
func (c calm) measure(ctx context.Context, r *rig, p peer) (rest, error) {
	s, err := p.start(ctx, r)
	if err != nil {
		return rest{}, fmt.Errorf("%s: %w", p.name(), err)
	}
	defer s.stop()
	got, err := c.of(ctx, s)
	if err != nil {
		return rest{}, fmt.Errorf("%s: %w", p.name(), err)
	}
	return got, nil
}

func (c calm) of(ctx context.Context, s *subject) (got rest, err error) {
	got = rest{Connections: c.memory, CPUConnections: c.cpu}
	before, err := s.memory()
	if err != nil {
		return got, err
	}
	began := time.Now()
	cpu, err := s.cpu()
	if err != nil {
		return got, err
	}
	first, err := s.dial(ctx, c.memory, c.memory)
	if err != nil {
		return got, err
	}
	defer func() { _ = first.Close() }() // its connections are all that it has
	got.Seconds = time.Since(began).Seconds()
	used, err := s.quiet(ctx, first)
	if err != nil {
		return got, err
	}
	got.Connect = micros(used-cpu) / float64(c.memory)
	if err := first.Idle(ctx, c.settle); err != nil {
		return got, err
	}
	after, err := s.memory()
	if err != nil {
		return got, err
	}
	got.RSS = float64(after.rss-before.rss) / float64(c.memory) / 1024
	got.PSS = float64(after.pss-before.pss) / float64(c.memory) / 1024
	if c.cpu == 0 {
		return got, nil
	}
	err = c.heartbeats(ctx, s, first, &got)
	return got, err
}

// quiet waits until the server has used less than a tenth of a core for 300 ms, and returns its CPU clock. A
// client that is connected is not yet subscribed, and not every protocol tells it when it is.
func (s *subject) quiet(ctx context.Context, c *load.Clients) (time.Duration, error) {
	const (
		window   = 300 * time.Millisecond
		patience = 15 * time.Second
	)
	last, err := s.cpu()
	if err != nil {
		return 0, err
	}
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if err := c.Idle(ctx, window); err != nil {
			return 0, err
		}
		now, err := s.cpu()
		if err != nil || now-last < window/10 {
			return now, err
		}
		last = now
	}
	return 0, fmt.Errorf("the server is not quiet %v after %d clients have connected", patience, c.Len())
}

// heartbeats connects what is missing to c.cpu, and measures the CPU of pings and pongs.
func (c calm) heartbeats(ctx context.Context, s *subject, first *load.Clients, got *rest) error {
	all := []*load.Clients{first}
	if missing := c.cpu - c.memory; missing > 0 {
		more := *s
		more.clients.RoomName = func(i int) string { return "more-" + strconv.Itoa(i) }
		second, err := more.dial(ctx, missing, missing)
		if err != nil {
			return err
		}
		defer func() { _ = second.Close() }() // its connections are all that it has
		all = append(all, second)
	}
	if err := hold(ctx, 5*time.Second, all...); err != nil {
		return err
	}
	_, before := sum(all)
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	if err := hold(ctx, c.period, all...); err != nil {
		return err
	}
	used, err := s.since(cpu)
	if err != nil {
		return err
	}
	open, answered := sum(all)
	if open != c.cpu {
		return fmt.Errorf("of %d idle connections %d are left", c.cpu, open)
	}
	got.CPUSeconds, got.CPU = c.period.Seconds(), 100*used.Seconds()/c.period.Seconds()
	got.Pings = float64(answered-before) / float64(open)
	return nil
}

// sum is how many connections are open, and pings answered.
func sum(all []*load.Clients) (open int, answered int64) {
	for _, clients := range all {
		open += clients.Len()
		answered += clients.Answered()
	}
	return open, answered
}

// hold answers pings for d.
func hold(ctx context.Context, d time.Duration, all ...*load.Clients) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, clients := range all {
		g.Go(func() error { return clients.Idle(ctx, d) })
	}
	return g.Wait()
}
