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

// sendAside starts to send what is pending in r. It reports false once the lane has stopped.
func (l *lane) sendAside(r *room) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	messages := r.pending
	r.pending, r.busy, r.sending = nil, true, 0
	for _, m := range messages {
		r.sending += len(m.payload) + len(r.name) + eventOverhead
	}
	l.owed += r.sending
	l.aside.Go(func() {
		defer crash()
		r.sendAll(l.g, messages)
		l.post(event{kind: eventSent, room: r.name})
	})
	return true
}

// hold keeps e until r has been sent to. A message for which there is no room is dropped, and the members
// get a gap. A backlog may have half of what the mailbox may, so that the other half is for the other rooms.
func (l *lane) hold(r *room, e *event) {
	if e.kind == eventMessage {
		size := e.cost()
		if r.lost || r.bytes > 0 && r.bytes+size > l.g.opts().MailboxBytes/4 {
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
