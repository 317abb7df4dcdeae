package gateway

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// A lane owns the rooms that hash to it, and their members: no lock guards them, since one
// runner at a time works off the lane's mailbox, in order. So messages of a room stay in
// order, and `subscribed` and `unsubscribed` stand in the right place among them. A room so
// large that the others would wait for it is sent to beside the lane (aside.go).
//
// A wake-up costs more than a small delivery, so whoever posts to an idle lane runs it, if
// the room is small. For a large room, and for whatever came meanwhile, the lane's own
// goroutine takes over: the Redis reader reads on, and messages that pile up are merged.
type lane struct {
	g    *Gateway
	wake chan struct{} // given by the runner that hands over; room for one, as there is one runner

	mu      sync.Mutex // guards what follows; held for no longer than it takes to append
	mailbox []event
	bytes   int             // what the messages in mailbox are counted as
	asked   int             // events in mailbox that clients have asked for
	shed    map[string]bool // rooms that lost a message since the mailbox was last taken
	running bool            // there is a runner
	stopped bool            // nothing is sent beside the lane any more

	// owned by the runner
	rooms   map[string]*room
	touched []*room         // have pending messages
	batch   []event         // being worked off; swapped with mailbox
	lossy   map[string]bool // rooms that lost a message which was to be in batch
	owed    int             // what messages are counted as that large rooms are being sent, or that wait for them
	held    int             // events in their backlogs that are no messages
	looked  uint64          // the number of the last Top
	aside   sync.WaitGroup  // of goroutines that send to large rooms
}

// run is the lane's goroutine. It ends when stop is closed, and with it all that the lane has started.
func (l *lane) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			l.stop()
			return
		case <-l.wake:
			for {
				l.work()
				if l.rest() {
					break
				}
			}
		}
	}
}

// work works off what the mailbox holds. The caller is the runner.
func (l *lane) work() {
	defer crash() // a lane that has lost its way would be silent for ever
	l.mu.Lock()
	l.batch, l.mailbox = l.mailbox, l.batch[:0]
	l.lossy = l.shed
	l.shed, l.bytes, l.asked = nil, 0, l.held
	l.mu.Unlock()

	for i := range l.batch {
		l.handle(&l.batch[i])
	}
	l.flush()
	for name := range l.lossy {
		l.handle(&event{kind: eventGap, room: name, reason: gapOverload})
	}
	if len(l.lossy) > 0 {
		l.logOverload(len(l.lossy))
	}
	clear(l.batch) // let go of payloads and connections
	if cap(l.batch) > 4096 {
		l.batch = nil // a burst must not be paid for ever
	}
}

func (l *lane) logOverload(rooms int) {
	l.g.logSampled(slog.LevelWarn, "overload", "messages were dropped: more is published than can be sent (limits.mailbox_bytes)", slog.Int("rooms", rooms))
}

// crash ends the process if there is a panic, wherever it would be recovered.
func crash() {
	if p := recover(); p != nil {
		stack := debug.Stack()
		go panic(fmt.Sprintf("%v\n\n%s", p, stack))
		select {}
	}
}

// handle does what one event says. Messages only gather in their room, until flush or until
// something else happens to the room.
func (l *lane) handle(e *event) {
	if e.kind == eventCall && e.room == "" {
		l.flush()
		e.call()
		return
	}
	r := l.rooms[e.about()]
	switch {
	case e.kind == eventSent:
		l.sent(r)
		return
	case r != nil && (r.busy || e.kind != eventMessage && !l.deliver(r)):
		l.hold(r, e)
		return
	}
	switch e.kind {
	case eventMessage:
		if r != nil {
			if len(r.pending) == 0 {
				l.touched = append(l.touched, r)
			}
			r.pending = append(r.pending, pending{e.payload, e.at})
			r.messages++
		}
	case eventGap:
		l.gap(r, e.reason)
	case eventJoin:
		l.join(r, e.m)
		l.reply(e)
	case eventLeave:
		l.leave(r, e)
		l.reply(e)
	case eventReply:
		l.reply(e)
	case eventCall:
		e.call()
	}
}

func (l *lane) reply(e *event) {
	if e.reply != nil {
		e.m.c.sayFrame(e.reply)
	}
}

// flush delivers what has gathered in the rooms.
func (l *lane) flush() {
	for _, r := range l.touched {
		l.deliver(r)
	}
	clear(l.touched)
	l.touched = l.touched[:0]
}

// join makes m a member of r; nil: of a room that is not there yet.
func (l *lane) join(r *room, m *membership) {
	if r == nil {
		r = &room{name: m.room}
		l.rooms[m.room] = r
	}
	r.add(m)
}

// leave takes e's member out of r.
func (l *lane) leave(r *room, e *event) {
	if e.lossy || l.lossy[r.name] { // it may have been a member of then
		e.m.c.gap(r.name, gapOverload)
	}
	r.remove(e.m)
	if len(r.members) == 0 {
		delete(l.rooms, r.name)
	}
}
