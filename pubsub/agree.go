package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxBatch is how many rooms one command names. Redis answers with a reply for each, which pile
// up in its output buffer for us (8 MB for a minute, or 32 MB, and it closes the connection) while
// messages of other rooms wait behind them.
const maxBatch = 512

// A command is one SUBSCRIBE or UNSUBSCRIBE. There is never a second under way, so each
// confirmation, and an error reply, belongs to it.
type command struct {
	kind      string     // "subscribe" or "unsubscribe", as Redis repeats it
	rooms     []*room    // in the order sent, which is that of the confirmations
	confirmed int        // of rooms; the reader's
	done      chan error // capacity 1: nil once all are confirmed, or the error reply
}

// agree makes Redis agree with the rooms' counts: first with what earlier links left, then with
// whatever changes. What piles up while a command is under way is the next batch.
func (l *link) agree(ctx context.Context, own *command) ending {
	if err := l.awaitOwn(ctx, own); err != nil {
		return endingOf(reasonRefused, err)
	}
	if err := l.resubscribe(ctx); err != nil {
		return endingOf(reasonClosed, err)
	}
	close(l.resubscribed)

	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return endingOf(reasonClosed, ctx.Err())
		case <-l.p.wake:
		case <-due.C:
		}
		next, err := l.catchUp(ctx)
		if err != nil {
			return endingOf(reasonClosed, err)
		}
		if next.IsZero() {
			due.Stop()
		} else {
			due.Reset(time.Until(next))
		}
	}
}

// ownChannels are the channels that the first command of every link subscribes: the canary's, and
// that of control if there is one. They are rooms that the books do not list, and that nobody leaves.
func (b *Broker) ownChannels() []*room {
	own := []*room{{channel: b.canary, state: joining, count: 1}}
	if b.o.ControlChannel != "" {
		own = append(own, &room{channel: b.o.ControlChannel, state: joining, count: 1})
	}
	return own
}

// awaitOwn waits for the link's first command, and names what Redis refuses: its answer does not,
// so the canary, alone, tells.
func (l *link) awaitOwn(ctx context.Context, own *command) error {
	err := l.await(ctx, own)
	name := canaryPrefix + "*"
	if isRefusal(err) && len(own.rooms) > 1 && l.do(ctx, "subscribe", own.rooms[:1]) == nil {
		name = "the control channel " + l.b.o.ControlChannel
	}
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", name, err)
	}
	return nil
}

// resubscribe subscribes the rooms that wait now. However many there are, as long as they come on
// the link is not silent.
func (l *link) resubscribe(ctx context.Context) error {
	for left := l.b.rooms.queued(l.p); left > 0; {
		batch, taken := l.b.rooms.takeJoins(l.p, min(left, maxBatch))
		if err := l.join(ctx, batch); err != nil {
			return err
		}
		left -= taken
		l.silence.Reset(l.b.o.canaryTimeout())
	}
	return nil
}

// catchUp does all that is due, and says when there will be more; zero means once somebody asks.
func (l *link) catchUp(ctx context.Context) (next time.Time, err error) {
	for {
		join, taken := l.b.rooms.takeJoins(l.p, maxBatch)
		if err := l.join(ctx, join); err != nil {
			return next, err
		}
		leave := l.b.rooms.takeLeaves(l.p, time.Now(), maxBatch)
		if len(leave) > 0 {
			if err := l.do(ctx, "unsubscribe", leave); err != nil {
				return next, err
			}
		}
		now := time.Now()
		if next = l.b.rooms.nextDue(l.p, now); taken == 0 && len(leave) == 0 && (next.IsZero() || next.After(now)) {
			return next, nil
		}
	}
}

// join subscribes batch. Redis refuses the whole of a command for one forbidden channel, without
// saying which: halving finds it, and the others go on.
func (l *link) join(ctx context.Context, batch []*room) error {
	if len(batch) == 0 {
		return nil
	}
	err := l.do(ctx, "subscribe", batch)
	switch {
	case !isRefusal(err):
		return err
	case len(batch) == 1: // the reader has told those who wait
		return l.do(ctx, "unsubscribe", batch) // or go-redis would remember it as long as the link lives
	}
	half := len(batch) / 2
	if err := l.join(ctx, batch[:half]); err != nil {
		return err
	}
	return l.join(ctx, batch[half:])
}

// do sends one command and waits until Redis has answered all of it.
func (l *link) do(ctx context.Context, kind string, batch []*room) error {
	c := l.begin(kind, batch)
	send := l.ps.Subscribe
	if kind == "unsubscribe" {
		send = l.ps.Unsubscribe
	}
	if err := send(ctx, channels(batch)...); err != nil {
		return fmt.Errorf("sending %s: %w", kind, err)
	}
	return l.await(ctx, c)
}

// begin is to be called before the command is sent: its answer may come at once.
func (l *link) begin(kind string, batch []*room) *command {
	c := &command{kind: kind, rooms: batch, done: make(chan error, 1)}
	l.command.Store(c)
	return c
}

func (l *link) await(ctx context.Context, c *command) error {
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// confirmed is the reader's: s is the next confirmation of the command under way.
func (l *link) confirmed(s *redis.Subscription) error {
	c := l.command.Load()
	if c.kind != s.Kind || c.confirmed == len(c.rooms) || c.rooms[c.confirmed].channel != s.Channel {
		return fmt.Errorf("confirmation of %s %q, which is not under way", s.Kind, s.Channel)
	}
	rm := c.rooms[c.confirmed]
	if c.kind == "unsubscribe" {
		l.b.rooms.confirmLeave(rm)
	} else {
		if l.b.rooms.owedGap(rm) { // before anybody hears that it is joined
			l.gap(rm)
		}
		l.b.rooms.confirmJoin(rm, time.Now())
	}
	if c.confirmed++; c.confirmed == len(c.rooms) {
		c.done <- nil
	}
	return nil
}

// refused is the reader's: Redis refused the command under way. False: there is none.
func (l *link) refused(err error) bool {
	c := l.command.Load()
	switch {
	case c.confirmed > 0:
		return false
	case c.kind == "unsubscribe":
		// The user may not leave. Messages of these rooms go on coming, for nobody, until the link ends.
		for _, rm := range c.rooms {
			l.b.rooms.confirmLeave(rm)
		}
		l.log.Warn("redis refuses UNSUBSCRIBE", slog.Int("rooms", len(c.rooms)), slog.Any("error", err))
		err = nil
	case len(c.rooms) == 1 && c.rooms[0].channel != l.b.canary:
		if rm := c.rooms[0]; l.b.rooms.refuse(rm, err, time.Now()) {
			l.log.Warn("redis refuses a room that is held here", slog.String("channel", rm.channel), slog.Any("error", err))
			l.gap(rm)
		}
	}
	c.done <- err
	return true
}

// gap tells rm's holders, in its place among the messages that the reader delivers.
func (l *link) gap(rm *room) {
	l.gaps++
	l.b.metrics.gaps.Inc()
	l.r.Gap(l.b.rooms.name(rm))
}

// isRefusal tells an ACL's error reply from all other errors.
func isRefusal(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return said && redis.IsPermissionError(err)
}
