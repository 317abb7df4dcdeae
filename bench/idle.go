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

// A rest is what they cost.
type rest struct {
	Connections int     `json:"connections"`
	Connect     float64 `json:"connect_us"`   // CPU of the server for each, token verified and subscribed, in µs
	Seconds     float64 `json:"connect_secs"` // until all were connected
	PSS         float64 `json:"pss_kb"`       // of the server, each
	RSS         float64 `json:"rss_kb"`

	CPUConnections int     `json:"cpu_connections"`
	CPU            float64 `json:"cpu_percent"` // of one core
	CPUSeconds     float64 `json:"cpu_secs"`    // how long it was measured
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
	used, err := s.since(cpu)
	if err != nil {
		return got, err
	}
	got.Seconds, got.Connect = time.Since(began).Seconds(), micros(used)/float64(c.memory)
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
	got.CPUSeconds = c.period.Seconds()
	got.CPU, err = c.heartbeats(ctx, s, first)
	return got, err
}

// heartbeats connects what is missing to c.cpu, and returns the CPU of pings and pongs in % of one core.
func (c calm) heartbeats(ctx context.Context, s *subject, first *load.Clients) (float64, error) {
	all := []*load.Clients{first}
	if missing := c.cpu - c.memory; missing > 0 {
		more := *s
		more.clients.RoomName = func(i int) string { return "more-" + strconv.Itoa(i) }
		second, err := more.dial(ctx, missing, missing)
		if err != nil {
			return 0, err
		}
		defer func() { _ = second.Close() }() // its connections are all that it has
		all = append(all, second)
	}
	if err := hold(ctx, 5*time.Second, all...); err != nil {
		return 0, err
	}
	cpu, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if err := hold(ctx, c.period, all...); err != nil {
		return 0, err
	}
	used, err := s.since(cpu)
	if err != nil {
		return 0, err
	}
	open := 0
	for _, clients := range all {
		open += clients.Len()
	}
	if open != c.cpu {
		return 0, fmt.Errorf("of %d idle connections %d are left", c.cpu, open)
	}
	return 100 * used.Seconds() / c.period.Seconds(), nil
}

// hold answers pings for d.
func hold(ctx context.Context, d time.Duration, all ...*load.Clients) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, clients := range all {
		g.Go(func() error { return clients.Idle(ctx, d) })
	}
	return g.Wait()
}
