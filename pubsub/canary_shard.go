package pubsub

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// In sharded pub/sub the canary of a link is of a slot that its master owns. Slots move, and then another takes its
// place: that costs the rooms of the link nothing.

// canaries are for a link of p. A name in the table may come to mean another server, so they are published by name.
func (s *shards) canaries(p *part) canaries {
	prober := newProber(s.b.access, func() *redis.Client { return s.b.access.clientOf(server{addr: p.master}) })
	prober.send = func(ctx context.Context, c *redis.Client, channel, payload string) error {
		err := c.SPublish(ctx, channel, payload).Err()
		if isMoved(err) {
			s.hint()
		}
		return err
	}
	return prober
}

// follow is for a link of p that is connected to remote. If that is another server than the last link's, those who
// publish at p's master must not stay behind. The link has told no gap yet.
func (s *shards) follow(p *part, remote net.Addr) {
	if remote == nil {
		return
	}
	if p.where != "" && p.where != remote.String() {
		s.unfollow(p)
	}
	p.where = remote.String()
}

// unfollow closes the connections of those who publish at p's master, if it has one, and those over which that is asked
// for the slot table, which may have another name in the URL. It may be called on nil.
func (s *shards) unfollow(p *part) {
	if s != nil && p.master != "" {
		s.publisher.drop(p.master)
		s.survey.unfollow(p.master)
	}
}

// settleCanary looks at the answer to the first canary of a link.
func (l *link) settleCanary(ctx context.Context, own *window) error {
	switch err := own.commands[0].err; {
	case isRefusal(own.err):
		return fmt.Errorf("sharded pub/sub needs PING (allow it by +ping): %w", own.err)
	case own.err != nil:
		return fmt.Errorf("waiting for the answer to PING: %w", own.err)
	case err == nil:
		return nil
	case !isUnsettled(err):
		return fmt.Errorf("subscribing to %s*: %w", canaryPrefix, err)
	}
	l.evicted.Store(true)
	return l.keepCanary(ctx)
}

// keepCanary subscribes another canary if the slot of the last has moved away. While the table does not know
// better it tries again and again, for a canary timeout: none comes, and MOVED does not break the silence.
func (l *link) keepCanary(ctx context.Context) error {
	for l.evicted.Load() {
		if canary, ok := l.b.shards.canaryAt(l.p); ok {
			l.remembered(*l.canary.Swap(&canary))
			l.evicted.Store(false)
			own := l.ownWindow()
			if err := l.send(ctx, own); err != nil {
				return fmt.Errorf("sending %s: %w", own.kind, err)
			}
			if err := l.await(ctx, own); err != nil {
				return err
			}
			switch err := own.commands[0].err; {
			case err == nil:
				return nil
			case !isUnsettled(err):
				return fmt.Errorf("subscribing to %s*: %w", canaryPrefix, err)
			}
			l.evicted.Store(true)
		}
		l.b.shards.hint()
		select {
		case <-time.After(unsettledRetry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// unsubscribed is the reader's: Redis says that channel is not subscribed any more, asked or not.
func (l *link) unsubscribed(channel string) {
	if channel == *l.canary.Load() {
		l.evicted.Store(true)
		l.p.nudge()
		l.b.shards.hint()
		return
	}
	if l.b.rooms.unsubscribed(l.p, channel, time.Now()) {
		l.remembered(channel)
		l.b.shards.hint()
	}
}
