package pubsub

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxBatch is how many rooms one window names. Redis answers with a reply for each, which pile
// up in its output buffer for us (8 MB for a minute, or 32 MB, and it closes the connection) while
// messages of other rooms wait behind them.
const maxBatch = 512

// agree makes Redis agree with the rooms' counts: first with what earlier links left, then with
// whatever changes. What piles up while a command is under way is the next batch.
func (l *link) agree(ctx context.Context, own *window) ending {
	if err := l.awaitOwn(ctx, own); err != nil {
		return endingOf(reasonClosed, err)
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

// ownWindow is the first that every link sends: for the canary's channel, and that of control if it is the link's.
// They are rooms that the books do not list, and that nobody leaves.
func (l *link) ownWindow() *window {
	own := []*room{{channel: *l.canary.Load()}}
	if l.b.o.ControlChannel != "" && !l.sharded() {
		own = append(own, &room{channel: l.b.o.ControlChannel})
	}
	return l.begin(&window{kind: l.joining(), own: true, commands: []*command{{rooms: own}}})
}

// awaitOwn waits for the link's first window, and names what Redis refuses: its answer does not,
// so the canary, alone, tells.
func (l *link) awaitOwn(ctx context.Context, own *window) error {
	if err := l.await(ctx, own); err != nil {
		return err
	}
	c := own.commands[0]
	switch {
	case l.sharded():
		return l.settleCanary(ctx, own)
	case c.err == nil:
		return nil
	case len(c.rooms) > 1:
		alone := l.begin(&window{kind: own.kind, own: true, commands: []*command{{rooms: c.rooms[:1]}}})
		if l.send(ctx, alone) == nil && l.await(ctx, alone) == nil && alone.commands[0].err == nil {
			return fmt.Errorf("subscribing to the control channel %s: %w", l.b.o.ControlChannel, c.err)
		}
	}
	return fmt.Errorf("subscribing to %s*: %w", canaryPrefix, c.err)
}

// resubscribe subscribes the rooms that wait now. However many there are, as long as they come on
// the link is not silent.
func (l *link) resubscribe(ctx context.Context) error {
	for left := l.b.rooms.queued(l.p); left > 0; {
		batch, taken := l.b.rooms.takeJoins(l.p, min(left, maxBatch))
		if err := l.join(ctx, batch); err != nil {
			return err
		}
		if taken == 0 {
			return nil // what was left belongs elsewhere by now
		}
		left -= taken
		l.silence.Reset(l.b.o.canaryTimeout())
	}
	return nil
}

// catchUp does all that is due, and says when there will be more; zero means once somebody asks.
func (l *link) catchUp(ctx context.Context) (next time.Time, err error) {
	for {
		if err := l.keepCanary(ctx); err != nil {
			return next, err
		}
		if err := l.unremember(ctx); err != nil {
			return next, err
		}
		join, taken := l.b.rooms.takeJoins(l.p, maxBatch)
		if err := l.join(ctx, join); err != nil {
			return next, err
		}
		leave := l.b.rooms.takeLeaves(l.p, time.Now(), maxBatch)
		if err := l.leave(ctx, leave); err != nil {
			return next, err
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
	for commands := l.split(batch); len(commands) > 0; {
		w, err := l.do(ctx, l.joining(), commands)
		if err != nil {
			return err
		}
		commands = nil
		for _, c := range w.commands {
			switch half := len(c.rooms) / 2; {
			case c.err == nil:
			case isUnsettled(c.err):
				l.remembered(channels(c.rooms)...)
				l.b.shards.hint()
			case half == 0: // the reader has told those who wait
				l.remembered(c.rooms[0].channel)
			default:
				commands = append(commands, &command{rooms: c.rooms[:half]}, &command{rooms: c.rooms[half:]})
			}
		}
	}
	return l.unremember(ctx)
}

// leave unsubscribes batch.
func (l *link) leave(ctx context.Context, batch []*room) error {
	if len(batch) == 0 {
		return nil
	}
	w, err := l.do(ctx, l.leaving(), l.split(batch))
	if err != nil || w.fence == "" {
		return err
	}
	// What Redis has not said by now it will not say: the slot has moved away, or it refuses.
	if w.err == nil || isMoved(w.err) {
		for _, rm := range batch {
			l.b.rooms.confirmLeave(l.p, rm)
		}
		return nil
	}
	if l.b.rooms.anyAway(batch) {
		return fmt.Errorf("leaving rooms whose slot has another master: %w", w.err) // they would be subscribed at both
	}
	l.mayNotLeave(batch, w.err)
	return nil
}

// remembered notes channels that go-redis believes to be subscribed, and that are not. It would remember them as
// long as the link lives.
func (l *link) remembered(channels ...string) {
	l.staleMu.Lock()
	defer l.staleMu.Unlock()
	l.stale = append(l.stale, channels...)
}

// unremember unsubscribes them, which means nothing to Redis, but for those that are rooms here again.
func (l *link) unremember(ctx context.Context) error {
	l.staleMu.Lock()
	stale := l.stale
	l.stale = nil
	l.staleMu.Unlock()
	for batch := range slices.Chunk(stale, maxBatch) {
		var rooms []*room
		for _, channel := range batch {
			if !l.b.rooms.subscribedAt(l.p, channel) {
				rooms = append(rooms, &room{channel: channel})
			}
		}
		if len(rooms) == 0 {
			continue
		}
		if _, err := l.do(ctx, l.leaving(), l.split(rooms)); err != nil {
			return err
		}
	}
	return nil
}
