package pubsub

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// A canary is a message that the Broker publishes to its own channel as any backend would, and
// expects back over the link. An open socket proves nothing: it may lead to a stopped Redis, or
// into a void. A canary is the time at which it was sent, in nanoseconds since Broker.epoch, and what the link's canaries
// add to it.

// sendCanaries publishes one at once, when all rooms are back, and then one every interval, until
// ctx ends. That none comes back is the timer's to notice, whatever keeps this goroutine.
func (l *link) sendCanaries(ctx context.Context) {
	select {
	case <-l.resubscribed:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(l.b.o.canaryInterval())
	defer tick.Stop()
	warned := false
	for {
		err := l.sendCanary(ctx)
		if err == nil {
			warned = false
		} else if ctx.Err() == nil {
			err = fmt.Errorf("publishing to %s*: %w", canaryPrefix, err)
			l.p.health.blame(err)
			l.b.metrics.canaryErrors.Inc()
			if !warned {
				l.log.Warn("redis canary not sent", slog.Any("error", err))
				warned = true
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l *link) sendCanary(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.b.o.canaryInterval())
	defer cancel()
	sent := time.Since(l.b.epoch)
	err := l.canaries.publish(ctx, *l.canary.Load(), strconv.FormatInt(int64(sent), 10), l.b.epoch.Add(sent))
	if isReply(err) && !isMoved(err) {
		// Redis answers, so another connection would fare no better, and cost every room a gap. But where the slot is not,
		// the link should not be, or its name means another server by now.
		l.silence.Reset(l.b.o.canaryTimeout())
	}
	return err
}

// heard is the reader's: a canary came back.
func (l *link) heard(payload []byte) {
	select {
	case <-l.resubscribed:
	default:
		return // an earlier link sent it; this one does not have its rooms yet
	}
	at, via, _ := strings.Cut(string(payload), " ")
	sent, err := strconv.ParseInt(at, 10, 64)
	trip := time.Since(l.b.epoch) - time.Duration(sent)
	if err != nil || sent < 0 || trip < 0 {
		return // not ours
	}
	v := l.canaries.came(via, l.b.epoch.Add(time.Duration(sent)))
	if v.end.err != nil {
		l.end(v.end)
		return
	}
	if v.alive {
		l.silence.Reset(l.b.o.canaryTimeout())
		l.b.metrics.roundTrip.Observe(trip.Seconds())
	}
	if !v.proof {
		return
	}
	if v.gap != nil {
		l.gapAll(v.gap)
	}
	now := time.Now()
	l.p.health.prove(now)
	if l.liveSince.IsZero() {
		l.liveSince = now
		close(l.live)
		l.log.Info("redis connection up", slog.Int("rooms", l.b.rooms.len()), slog.Int("gaps", l.gaps),
			slog.Duration("took", now.Sub(l.began)))
	}
}

// silent is the timer's: nothing came for a canary timeout.
func (l *link) silent(ctx context.Context) {
	if ctx.Err() != nil {
		return // it fired while the link ended, and would be set once more
	}
	if e, over := l.canaries.silent(); over {
		l.end(e)
		return
	}
	l.silence.Reset(l.b.o.canaryTimeout())
}
