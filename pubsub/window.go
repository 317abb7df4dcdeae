package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// A command is one SUBSCRIBE or UNSUBSCRIBE; in sharded pub/sub one SSUBSCRIBE or SUNSUBSCRIBE, of rooms of one
// slot.
type command struct {
	rooms     []*room // in the order sent, which is that of the confirmations
	confirmed int     // of rooms; the reader's
	err       error   // the error reply; the reader's until the window is done
}

// A window is commands that are sent without waiting for one another, and not all answered: of at most maxBatch
// rooms. There is never a second under way on a link, so each confirmation, and each error reply, belongs to it,
// and to its oldest command that is not answered, since Redis answers in order.
type window struct {
	kind     string // "subscribe" and the like, as Redis repeats it
	own      bool   // its rooms are not in the books
	commands []*command
	fence    string // what a PING behind the commands is sent with; empty: there is none

	answered int           // of commands; the reader's
	err      error         // an error reply to the fence, or if fenced leaves, to any; the reader's until done
	done     chan struct{} // closed by the reader once all is answered
}

// sharded reports whether the link has the channels of one master's slots.
func (l *link) sharded() bool { return l.p.master != "" }

// joining and leaving are the kinds of the link's windows.
func (l *link) joining() string {
	if l.sharded() {
		return "ssubscribe"
	}
	return "subscribe"
}

func (l *link) leaving() string {
	if l.sharded() {
		return "sunsubscribe"
	}
	return "unsubscribe"
}

// split makes commands of batch: one, or with sharded pub/sub one for each slot.
func (l *link) split(batch []*room) []*command {
	if !l.sharded() {
		return []*command{{rooms: batch}}
	}
	var commands []*command
	bySlot := make(map[int]*command, len(batch))
	for _, rm := range batch {
		slot := slotOf(rm.channel)
		c := bySlot[slot]
		if c == nil {
			c = &command{}
			bySlot[slot] = c
			commands = append(commands, c)
		}
		c.rooms = append(c.rooms, rm)
	}
	return commands
}

// do sends a window of commands and waits until Redis has answered all of it.
func (l *link) do(ctx context.Context, kind string, commands []*command) (*window, error) {
	w := l.begin(&window{kind: kind, commands: commands})
	if err := l.send(ctx, w); err != nil {
		return w, fmt.Errorf("sending %s: %w", kind, err)
	}
	return w, l.await(ctx, w)
}

// begin is to be called before the window is sent: its answer may come at once.
//
// What Redis says of a SUNSUBSCRIBE it also says unasked, of a channel whose slot has moved away, and answers the
// command then with an error. So what answers which cannot be told, nor need it be: a PING behind them says when
// all are answered, and what it finds under way is unsubscribed. The first window of a link has one to see whether
// it is allowed.
func (l *link) begin(w *window) *window {
	if l.sharded() && (w.own || w.kind == l.leaving()) {
		l.fences++
		w.fence = fmt.Sprintf("fence-%d", l.fences)
	}
	w.done = make(chan struct{})
	l.window.Store(w)
	return w
}

// send writes w's commands.
func (l *link) send(ctx context.Context, w *window) error {
	send := map[string]func(context.Context, ...string) error{
		"subscribe": l.ps.Subscribe, "unsubscribe": l.ps.Unsubscribe, "ssubscribe": l.ps.SSubscribe, "sunsubscribe": l.ps.SUnsubscribe,
	}[w.kind]
	for _, c := range w.commands {
		if err := send(ctx, channels(c.rooms)...); err != nil {
			return err
		}
	}
	if w.fence != "" {
		return l.ps.Ping(ctx, w.fence)
	}
	return nil
}

// await waits for w's answers. Canaries do not tell that a fence is not answered, if its PING is suddenly forbidden,
// so that has a limit of its own.
func (l *link) await(ctx context.Context, w *window) error {
	var late <-chan time.Time
	if w.fence != "" {
		t := time.NewTimer(l.b.o.canaryTimeout())
		defer t.Stop()
		late = t.C
	}
	select {
	case <-w.done:
		return nil
	case <-late:
		return errors.New("waiting for the answer to PING: none came in time")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// oldest is the first command of w that is not answered; nil if all are.
func (w *window) oldest() *command {
	if w.answered == len(w.commands) {
		return nil
	}
	return w.commands[w.answered]
}

// answer counts the oldest command as answered.
func (w *window) answer() {
	if w.answered++; w.answered == len(w.commands) && w.fence == "" {
		close(w.done)
	}
}

// confirmed is the reader's: s is the next confirmation of the window under way, or of a slot that moved away.
func (l *link) confirmed(s *redis.Subscription) error {
	if s.Kind == "sunsubscribe" {
		l.unsubscribed(s.Channel)
		return nil
	}
	w := l.window.Load()
	c := w.oldest()
	if c == nil || w.kind != s.Kind || c.rooms[c.confirmed].channel != s.Channel {
		return fmt.Errorf("confirmation of %s %q, which is not under way", s.Kind, s.Channel)
	}
	rm := c.rooms[c.confirmed]
	switch {
	case w.own:
	case w.kind == "unsubscribe":
		l.b.rooms.confirmLeave(l.p, rm)
	default:
		if l.b.rooms.owedGap(rm) { // before anybody hears that it is joined
			l.gap(rm)
		}
		l.b.rooms.confirmJoin(rm, time.Now())
	}
	if c.confirmed++; c.confirmed == len(c.rooms) {
		w.answer()
	}
	return nil
}

// refused is the reader's: an error reply that a link survives. False: nobody asked for it.
func (l *link) refused(err error) bool {
	w := l.window.Load()
	if w.fence != "" && (w.kind == "sunsubscribe" || w.oldest() == nil) {
		select {
		case <-w.done:
			return false
		default:
		}
		if w.err == nil || isMoved(w.err) {
			w.err = err
		}
		if w.kind != "sunsubscribe" {
			close(w.done)
		}
		return true
	}
	c := w.oldest()
	if c == nil || c.confirmed > 0 {
		return false
	}
	c.err = err
	switch {
	case w.own:
	case w.kind == "unsubscribe":
		l.mayNotLeave(c.rooms, err)
	case isUnsettled(err):
		for _, rm := range c.rooms {
			l.b.rooms.postpone(rm, time.Now())
		}
	case len(c.rooms) == 1:
		l.b.metrics.roomsRefused.Inc()
		if rm := c.rooms[0]; l.b.rooms.refuse(rm, err, time.Now()) {
			l.log.Warn("redis refuses a room that is held here", slog.String("channel", rm.channel), slog.Any("error", err))
			l.gap(rm)
		}
	}
	w.answer()
	return true
}

// ponged is the reader's: the answer to a PING.
func (l *link) ponged(payload string) error {
	w := l.window.Load()
	if payload == "" || payload != w.fence || w.kind != "sunsubscribe" && w.oldest() != nil {
		return fmt.Errorf("answer to PING %q, which is not under way", payload)
	}
	close(w.done)
	return nil
}

// mayNotLeave is for an UNSUBSCRIBE that the user is not allowed. Messages of these rooms go on coming, for nobody,
// until the link ends.
func (l *link) mayNotLeave(batch []*room, err error) {
	for _, rm := range batch {
		l.b.rooms.confirmLeave(l.p, rm)
	}
	l.log.Warn("redis refuses "+l.leaving(), slog.Int("rooms", len(batch)), slog.Any("error", err))
}

// gap tells rm's holders, in its place among the messages that the reader delivers.
func (l *link) gap(rm *room) {
	l.gaps++
	l.b.metrics.gaps.Inc()
	l.r.Gap(l.b.rooms.name(rm))
}

// gapAll is gap for all rooms, since messages may have been lost on this link, which stays.
func (l *link) gapAll(why error) {
	rooms := l.b.rooms.heldAt(l.p)
	l.log.Warn("redis messages may have been lost", slog.Any("error", why), slog.Int("rooms", len(rooms)))
	for _, rm := range rooms {
		l.gap(rm)
	}
}
