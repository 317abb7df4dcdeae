package gateway

// A large room is sent to beside its lane, by a goroutine for each batch of its messages: 15,000 sends
// take a tenth of a second, for which every other room of the lane would wait. What happens to the
// room meanwhile is held in its backlog, in order, and happens once the goroutine has ended. So the
// room's members stand still while it walks them, no lock guards them, and what was published
// meanwhile is the next batch.

// largeRoom is from how many members a room is sent to beside its lane: below, the others wait for it
// for 6 ms at most.
const largeRoom = 1000

// deliver sends what is pending in r, and reports whether r is at rest. If not, it is large, and busy now.
func (l *lane) deliver(r *room) (atRest bool) {
	if r.busy {
		return false // touched before it became so
	}
	if len(r.pending) > 0 && len(r.members) > largeRoom && l.sendAside(r) {
		return false
	}
	r.deliver(l.g)
	return true
}

// sendAside starts to send what is pending in r. It reports false once the lane has stopped, and if the other large
// rooms of the lane have what there is for them.
func (l *lane) sendAside(r *room) bool {
	messages, size := r.pending, 0
	for _, m := range messages {
		size += len(m.payload) + len(r.name) + eventOverhead
	}
	if l.owed > 0 && l.owed+size > l.asideMost() || !l.beside(r, size, func() { r.sendAll(l.g, messages) }) {
		return false
	}
	r.pending = nil
	return true
}

// asideMost is what messages may count that large rooms are being sent, or that wait for them.
func (l *lane) asideMost() int { return l.g.opts().MailboxBytes / 2 }

// beside calls do, which may read r's members and no more of it, by a goroutine beside the lane: r is busy until then. It
// reports false once the lane has stopped. size is what the messages are counted as that do holds.
func (l *lane) beside(r *room, size int, do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	r.busy, r.sending = true, size
	l.owed += size
	l.aside.Go(func() {
		defer crash()
		do()
		l.post(event{kind: eventSent, room: r.name})
	})
	return true
}

// gap tells the members of r that messages may be missing; nil: there are none.
func (l *lane) gap(r *room, reason string) {
	if r == nil || len(r.members) > largeRoom && l.beside(r, 0, func() { r.gap(reason) }) {
		return
	}
	r.gap(reason)
}

// hold keeps e until r has been sent to. A message for which there is no room is dropped, and the members
// get a gap.
func (l *lane) hold(r *room, e *event) {
	if e.kind == eventMessage {
		size := e.cost()
		if r.lost || l.owed > 0 && l.owed+size > l.asideMost() {
			r.lost = true
			l.g.metrics.shed.Inc()
			return
		}
		r.bytes += size
		l.owed += size
	} else {
		l.held++
	}
	e.lossy = e.lossy || l.lossy[r.name]
	r.backlog = append(r.backlog, *e)
}

// sent is for r, which has been sent to: what happened meanwhile happens now.
func (l *lane) sent(r *room) {
	backlog, lost := r.backlog, r.lost
	l.owed -= r.sending + r.bytes
	r.busy, r.backlog, r.bytes, r.lost = false, nil, 0, false
	for i := range backlog {
		e := &backlog[i]
		e.lossy = e.lossy || lost
		if e.kind != eventMessage {
			l.held--
		}
		l.handle(e)
	}
	if lost {
		l.handle(&event{kind: eventGap, room: r.name, reason: gapOverload})
		l.logOverload(1)
	}
}

// stop waits for what is being sent, and lets nothing more be sent beside the lane.
func (l *lane) stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	l.aside.Wait()
}
