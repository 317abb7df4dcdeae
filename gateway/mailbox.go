package gateway

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

// mediumRoom is up to how many members whoever posts delivers by itself as long as it has time (docs/adr/0032).
const mediumRoom = 8 * smallRoom

// eventOverhead is what a message is counted as beside its payload and its room's name: about what
// it takes to keep it, as an event, in arrays that double as they grow, and in its room until it is sent.
const eventOverhead = 256

// post puts e into the mailbox, and runs the lane if nobody does and the work is small. A
// message that does not fit is dropped and its room marked, so that the members get a gap.
// All else always fits: a connection joins and leaves each room once, a room has a gap for each
// outage, and of what clients ask for, ask bounds the number.
func (l *lane) post(e event) {
	l.mu.Lock()
	if e.kind != eventMessage || l.fits(e) {
		l.mailbox = append(l.mailbox, e)
	} // else somebody must run the lane all the same, to tell the gap
	if l.running {
		l.mu.Unlock()
		return
	}
	l.running = true
	l.mu.Unlock()
	if e.kind != eventMessage && e.kind != eventGap || l.small(&e) {
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
// mailbox has a quarter of what there is, the batch which is being worked off another, and large
// rooms, which are sent to beside the lane, have half: so none of them takes the place of the others.
func (l *lane) fits(e event) bool {
	size := e.cost()
	if l.shed[e.room] || l.bytes > 0 && l.bytes+size > l.g.opts().MailboxBytes/4 {
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

// small reports whether e, which happens to a room, is little work. The caller is the runner.
func (l *lane) small(e *event) bool {
	r := l.rooms[e.room]
	switch {
	case r == nil || len(r.members) <= smallRoom:
		return true
	case len(r.members) > mediumRoom || e.kind != eventMessage:
		return false
	}
	return l.g.posting.take(len(r.members), e.at)
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
