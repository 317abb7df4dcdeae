package load

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

const (
	// LateAfter is how much after it was due a message counts as published late. It is the same whatever the
	// tick: latency runs from when a message is written, so that what the generator is late by shows here alone.
	LateAfter = 5 * time.Millisecond

	burst = time.Millisecond // the least time between two bursts of messages
)

// A publishing is one run as its publisher sees it.
type publishing struct {
	c       *Clients
	t       Traffic
	d       time.Duration
	began   int64 // on the clock
	due     int64 // messages in d
	open    int   // clients when it began
	members []int64
	names   []string
	payload []byte // without its stamp

	published atomic.Int64
	expected  atomic.Int64
	late      int64 // the publisher's, until it has ended
}

// begin makes a new run what is counted. Each client's track begins anew.
func (c *Clients) begin(t Traffic, d time.Duration) *publishing {
	rooms := c.o.rooms()
	p := &publishing{c: c, t: t, d: d, members: make([]int64, rooms), names: make([]string, rooms)}
	for i := range p.names {
		p.names[i] = c.o.roomName(i)
	}
	r := &run{marker: newMarker(), size: t.Size, any: t.Publish == nil}
	if !r.any {
		p.payload = newPayload(r.marker, t.Size)
		p.due = int64(math.Round(t.Rate * d.Seconds()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.clients {
		cl.track = track{}
		if !cl.closed {
			p.members[cl.room]++
			p.open++
		}
	}
	c.run = r
	p.began = c.clock()
	return p
}

// publish publishes all messages when they are due, until ctx ends.
func (p *publishing) publish(ctx context.Context) error {
	began := time.Now()
	if p.t.Publish == nil {
		sleep(ctx, p.d)
		return nil
	}
	gap := float64(time.Second) / p.t.Rate // ns between two messages
	latest := p.d + LateAfter              // what is not published by then never is
	for sent := int64(0); sent < p.due && ctx.Err() == nil; {
		passed := time.Since(began)
		for due := min(p.due, int64(float64(passed)/gap)+1); sent < due; sent++ {
			if passed > time.Duration(float64(sent)*gap)+LateAfter {
				p.late++
			}
			if err := p.one(sent); err != nil {
				return err
			}
		}
		if err := call(p.t.Flush); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		if time.Since(began) > latest {
			p.late += p.due - sent
			return nil
		}
		sleep(ctx, max(time.Duration(float64(sent)*gap)-time.Since(began), burst))
	}
	return nil
}

// one publishes message i of all rooms in turn.
func (p *publishing) one(i int64) error {
	rooms := int64(len(p.names))
	room := i % rooms
	payload := bytes.Clone(p.payload)
	stamp{room: uint32(room), number: uint32(i / rooms), at: p.c.clock()}.put(payload)
	p.expected.Add(p.members[room])
	p.published.Add(1)
	if err := p.t.Publish(p.names[room], payload); err != nil {
		return fmt.Errorf("publishing to room %q: %w", p.names[room], err)
	}
	return nil
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}
