package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// run connects, publishes, counts and reports.
func (b *bench) run(ctx context.Context) error {
	began := time.Now()
	clients, err := load.Dial(ctx, b.connects, func(connected int) { b.progress.connecting(connected, b.connects.Connections) })
	if err != nil {
		b.progress.clear()
		return explainBench(err, b.url)
	}
	defer func() { _ = clients.Close() }() // all that it is for is done
	r := benchReport{URL: b.url, Format: b.format, Size: b.traffic.Size, Connect: time.Since(began), publishes: !b.noPublish}
	if err := b.awaitRooms(ctx, clients); err != nil {
		b.progress.clear()
		return err
	}
	r.Result, err = clients.Run(ctx, b.traffic, b.progress.running)
	b.progress.clear()
	if r.Result == nil {
		return interrupted(err)
	}
	r.Interrupted = err != nil
	if err := r.write(b.out, b.asJSON); err != nil {
		return err
	}
	return r.verdict()
}

const (
	roomsTime   = 15 * time.Second       // for all clients of the raw format to be in their rooms
	roomsSettle = 500 * time.Millisecond // for a message to each room to arrive
)

// awaitRooms waits until clients of the raw format are in their rooms, which no frame says: until each has
// got a message.
func (b *bench) awaitRooms(ctx context.Context, clients *load.Clients) error {
	if b.connects.Ready != nil || b.noPublish {
		return nil
	}
	const lap = 20 * time.Millisecond // one message to each room
	probe := load.Traffic{Size: load.MinSize, Duration: lap, Rate: float64(b.connects.Rooms) / lap.Seconds(), Settle: roomsSettle,
		Publish: b.traffic.Publish, Flush: b.traffic.Flush}
	if big := lap * time.Duration(b.connects.Rooms/1000); big > lap { // not more than 50,000 a second
		probe.Duration, probe.Rate = big, float64(b.connects.Rooms)/big.Seconds()
	}
	for deadline := time.Now().Add(roomsTime); ; {
		r, err := clients.Run(ctx, probe, nil)
		switch {
		case err != nil:
			return interrupted(err)
		case r.Closed > 0:
			return fmt.Errorf("%d of %d connections ended before they had their rooms:\n%s", r.Closed, r.Connections, closedText(r.ClosedBy))
		case r.Lost == 0:
			return nil
		case time.Now().After(deadline) && r.Delivered == 0:
			return errors.New(nothingArrives)
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d clients were not in their rooms within %v", r.Lost, r.Connections, roomsTime)
		}
	}
}

// interrupted says what was, if err is only that the user wanted an end.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("ended before anything was counted")
	}
	return err
}

// explainBench adds to the error of Dial what to do.
func explainBench(err error, url string) error {
	if errors.Is(err, context.Canceled) {
		return interrupted(err)
	}
	refused, ok := errors.AsType[*load.Refused](err)
	if !ok {
		return fmt.Errorf("%s: %w", url, err)
	}
	hint := statusHints[refused.Status]
	if refused.Status == 0 {
		hint = closeHints[refused.Code]
	}
	if refused.After != "" {
		hint += " (Retry-After: " + refused.After + " s)"
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, hint)
}
