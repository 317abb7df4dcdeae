package pubsub

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// try is Probe with sharded pub/sub: at each master of the Cluster.
func (s *shards) try(ctx context.Context) (found string, err error) {
	ctx, stop := context.WithTimeout(ctx, s.b.o.canaryTimeout())
	defer stop()
	table, _, err := s.survey.look(ctx)
	if err != nil {
		return "", err
	}
	ctx, end := context.WithCancelCause(ctx)
	heard := make(probed, 1)
	var links []*link
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end(nil)
	run := func(ctx context.Context, l *link) {
		links = append(links, l)
		wg.Go(func() { end(l.run(ctx)) })
	}
	s.apply(ctx, table, make(map[*part]context.CancelFunc), func(life context.Context, p *part) {
		run(life, newLink(s.b, p, heard, server{addr: p.master}))
	})
	if err := s.tryPublish(ctx); err != nil {
		return "", err
	}
	if s.control != nil {
		at, err := s.b.place.pick(ctx)
		if err != nil {
			return "", fmt.Errorf("finding a node for the control channel: %w", err)
		}
		run(ctx, newLink(s.b, s.control, heard, at))
	}
	for _, l := range links {
		select {
		case <-l.live:
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for a canary of %v: %w", l.server, context.Cause(ctx))
		}
	}
	if err := s.b.probeRoom(ctx, heard); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d masters, sharded: %s", len(table.masters), strings.Join(table.masters, ", ")), nil
}

// tryPublish publishes a canary at each master.
func (s *shards) tryPublish(ctx context.Context) error {
	for _, p := range s.partsNow() {
		channel, ok := s.canaryAt(p)
		if !ok {
			continue
		}
		if _, err := s.publisher.publish(ctx, channel, ""); err != nil {
			if ended := context.Cause(ctx); ended != nil { // a link, which says more
				err = ended
			}
			return fmt.Errorf("publishing to %s* at %s: %w", canaryPrefix, p.master, err)
		}
	}
	return nil
}
