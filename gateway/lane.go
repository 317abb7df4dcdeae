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
	aside   sync.WaitGroup  // of goroutines that send to large rooms
}

type eventKind uint8

const (
	eventMessage eventKind = iota // room, payload
	eventGap                      // room, reason
	eventJoin                     // m, reply
	eventLeave                    // m, reply
	eventReply                    // m, reply
	eventSent                     // room
	eventCall                     // call, room: the one it waits for; empty: none
)

// An event is one entry of a lane's mailbox.
type event struct {
	kind    eventKind
	lossy   bool // the room has lost a message before this
	room    string
	reason  string
	payload []byte
	at      int64 // when the message came from Redis, on the gateway's clock
	m       *membership
	reply   []byte // frame for m's connection, sent once the event has happened
	call    func() // runs with the lane's rooms at rest; those that are being sent to may be read
}

// about is the room that e happens to; empty for a call.
func (e *event) about() string {
	if e.m != nil {
		return e.m.room
	}
	return e.room
}

// smallRoom is up to how many members whoever posts delivers by itself. Beyond it the work
// costs more than the wake-up (about 5 µs against 6 a send, docs/adr/0004).
const smallRoom = 4

// eventOverhead is what a message is counted as beside its payload and its room's name: about what
// it takes to keep it, as an event, in arrays that double as they grow, and in its room until it is sent.
const eventOverhead = 256

// post puts e into the mailbox, and runs the lane if nobody does and the work is small. A
// message that does not fit is dropped and its room marked, so that the members get a gap.
// All else always fits: a connection joins and leaves each room once, a room has a gap for each
// outage, and of what clients ask for, ask bounds the number.
func (l *lane) post(e event) {
	l.mu.Lock()
	if e.kind == eventMessage && !l.fits(e) {
		l.mu.Unlock()
		return
	}
	l.mailbox = append(l.mailbox, e)
	if l.running {
		l.mu.Unlock()
		return
	}
	l.running = true
	l.mu.Unlock()
	if e.kind != eventMessage && e.kind != eventGap || l.small(e.room) {
		l.work()
		if l.rest() {
			return
		}
	}
	l.wake <- struct{}{} // hand over: the lane's goroutine is the runner now
}

// cost is what a message is counted as.
func (e *event) cost() int { return len(e.payload) + len(e.room) + eventOverhead }

// fits counts e into the mailbox, or marks its room as having lost a message. l.mu is held. The
// mailbox has half of what there is: the other is that of the batch which is being worked off.
func (l *lane) fits(e event) bool {
	size := e.cost()
	if l.shed[e.room] || l.bytes > 0 && l.bytes+size > l.g.opts().MailboxBytes/2 {
		if l.shed == nil {
			l.shed = make(map[string]bool)
		}
		l.shed[e.room] = true
		l.g.metrics.shed.Inc()
		return false
	}
	l.bytes += size
	return true
}

// askedMost is how many events that clients have asked for a mailbox has before they wait.
const askedMost = 1024

// ask posts what a client has asked for, which its rate alone need not bound. Beyond askedMost of
// them it returns only once e has happened: then each client has one there, and reads nothing
// more meanwhile. The goroutine that reads the connection calls it.
func (l *lane) ask(e event) {
	l.mu.Lock()
	l.asked++
	crowded := l.asked > askedMost
	l.mu.Unlock()
	l.post(e)
	if crowded {
		done := make(chan struct{})
		l.post(event{kind: eventCall, room: e.about(), call: func() { close(done) }})
		<-done // lanes work until the last connection has ended
	}
}

// small reports whether a message to room is little work. The caller is the runner.
func (l *lane) small(name string) bool {
	r := l.rooms[name]
	return r == nil || len(r.members) <= smallRoom
}

// rest ends the running, unless something waits.
func (l *lane) rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mailbox) > 0 || len(l.shed) > 0 {
		return false
	}
	l.running = false
	return true
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
	l.shed, l.bytes, l.asked = nil, l.owed, l.held
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
		}
	case eventGap:
		r.gap(e.reason)
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
