package pubsub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Probe does once, with the Redis of o, what a Broker does: it connects and authenticates, hears a
// canary, subscribes to the control channel if there is one, and joins and publishes to a room that
// nobody else knows. It takes o's CanaryTimeout at most, for each address that has to be tried. found says in a
// phrase which server or servers it found. Its error is the first thing that did not work, at each
// address, and never holds a password.
func Probe(ctx context.Context, o Options) (found string, err error) {
	o.Log, o.Metrics = nil, nil
	b, err := New(o)
	if err != nil {
		return "", err
	}
	defer b.closeClients()
	if b.shards != nil {
		return b.shards.try(ctx)
	}
	var errs []error
	for range b.place.choices() {
		s, err := b.place.pick(ctx)
		if err != nil {
			return "", errors.Join(append(errs, fmt.Errorf("finding Redis: %w", err))...)
		}
		if err = b.probe(ctx, s); err == nil {
			return b.place.found(ctx), nil
		}
		if b.place.choices() > 1 {
			err = fmt.Errorf("%v: %w", s, err)
		}
		errs = append(errs, err)
		b.place.failed(s)
	}
	return "", errors.Join(errs...)
}

// probe is Probe at one server.
func (b *Broker) probe(ctx context.Context, s server) error {
	ctx, stop := context.WithTimeout(ctx, b.o.canaryTimeout())
	defer stop()
	heard := make(probed, 1)
	l := newLink(b, b.only, heard, s)
	if err := l.canaries.publish(ctx, b.canary, "", time.Now()); err != nil {
		l.canaries.close()
		return fmt.Errorf("publishing to %s*: %w", canaryPrefix, err)
	}

	ctx, end := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { end(l.run(ctx)) })
	defer wg.Wait()
	defer end(nil)

	select {
	case <-l.live:
	case <-ctx.Done():
		return fmt.Errorf("waiting for a canary: %w", context.Cause(ctx))
	}
	return b.probeRoom(ctx, heard)
}

// probeRoom joins a room that nobody else knows, and hears what it publishes there.
func (b *Broker) probeRoom(ctx context.Context, heard probed) error {
	room := "roomgate-probe-" + rand.Text()
	if err := b.Subscribe(ctx, room); err != nil {
		return err
	}
	if err := b.Publish(ctx, room, nil); err != nil {
		return err
	}
	select {
	case <-heard:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a message published to room %q: %w", room, context.Cause(ctx))
	}
}

// ProbeExists does once, with the Redis of o, what TryExists does.
func ProbeExists(ctx context.Context, o Options, prefix string) error {
	o.Log, o.Metrics = nil, nil
	b, err := New(o)
	if err != nil {
		return err
	}
	defer b.closeClients()
	return b.TryExists(ctx, prefix)
}

// probed is the Receiver of the one message that a Probe expects.
type probed chan struct{}

func (p probed) Deliver(string, []byte) { p <- struct{}{} }
func (p probed) Gap(string)             {}
func (p probed) Control([]byte)         {}

// Publish publishes once to a room, with the Redis of o, and closes its connection. It returns how many subscribers had
// it: gateways, not clients.
func Publish(ctx context.Context, o Options, room string, payload []byte) (receivers int64, err error) {
	o.Log, o.Metrics = nil, nil
	b, err := New(o)
	if err != nil {
		return 0, err
	}
	defer b.closeClients()
	if b.shards == nil {
		if err := reach(ctx, b.place, b.publish); err != nil {
			return 0, fmt.Errorf("publishing to room %q: %w", room, err)
		}
	}
	if receivers, err = b.send(ctx, room, payload); err != nil {
		return 0, fmt.Errorf("publishing to room %q: %w", room, err)
	}
	return receivers, nil
}
