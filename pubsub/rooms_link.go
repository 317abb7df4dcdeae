package pubsub

import (
	"fmt"
	"time"
)

// refusedRetry is the time after which rooms that Redis refused to holders are tried again.
const refusedRetry = 10 * time.Second

// What follows is how the link of a part and the rooms talk: it takes what is to do, and tells what Redis answered.

// takeJoins marks up to limit rooms of p's queue as joining. taken counts those that nobody waits
// for any more, too.
func (rs *rooms) takeJoins(p *part, limit int) (batch []*room, taken int) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	taken = min(limit, len(p.todo))
	if taken == 0 {
		return nil, 0
	}
	batch = make([]*room, 0, taken)
	for _, rm := range p.todo[:taken] {
		rm.queued = false
		if rm.count == 0 {
			p.given--
			rs.forget(rm)
			continue
		}
		rm.state = joining
		batch = append(batch, rm)
	}
	clear(p.todo[:taken]) // the array outlives them
	p.todo = p.todo[taken:]
	if len(p.todo) == 0 {
		p.todo = nil
	}
	return batch, taken
}

// queued is how many rooms wait to be subscribed at p.
func (rs *rooms) queued(p *part) int {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(p.todo)
}

// takeLeaves marks up to limit rooms of p as leaving: those that belong elsewhere now, and those whose
// delay is over.
func (rs *rooms) takeLeaves(p *part, now time.Time, limit int) []*room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var batch []*room
	for rm := range p.away {
		if len(batch) == limit {
			return batch
		}
		delete(p.away, rm)
		if rs.homeOf(rm.channel) == p { // it has come back
			continue
		}
		rs.keep(rm)
		rm.state = leaving
		rm.lost = rm.holders() > 0
		batch = append(batch, rm)
	}
	for e := p.idle.Front(); e != nil && len(batch) < limit; e = p.idle.Front() {
		rm := e.Value.(*room)
		if rm.leaveAt.After(now) {
			break
		}
		rs.keep(rm)
		rm.state = leaving
		batch = append(batch, rm)
	}
	return batch
}

// nextDue queues p's postponed rooms if it is time, and says when there will be something to do
// there without anybody asking; zero means never.
func (rs *rooms) nextDue(p *part, now time.Time) time.Time {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, s := range []*postponed{&p.refused, &p.later} {
		if s.due(now) {
			for rm := range s.rooms {
				rs.queue(rm)
			}
		}
	}
	var next time.Time
	switch {
	case len(p.todo) > 0 || len(p.away) > 0:
		return now
	case p.idle.Len() > 0:
		next = p.idle.Front().Value.(*room).leaveAt
	}
	return p.later.sooner(p.refused.sooner(next))
}

// owedGap reports whether rm's holders are to be told of a gap before anybody is told that it is joined.
func (rs *rooms) owedGap(rm *room) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rm.lost
}

// heldAt are the rooms that are joined on the connection of p, and that somebody holds.
func (rs *rooms) heldAt(p *part) []*room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var held []*room
	for _, rm := range rs.byName {
		if rm.home == p && rm.state == joined && rm.count > 0 {
			held = append(held, rm)
		}
	}
	return held
}

// confirmJoin is for a SUBSCRIBE that Redis confirmed.
func (rs *rooms) confirmJoin(rm *room, now time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm.state, rm.lost, rm.refused = joined, false, nil
	rs.answer(rm, nil)
	rs.release(rm, 0, now) // if all gave up meanwhile, it is idle from now on
	if rs.homeOf(rm.channel) != rm.home {
		rs.sendAway(rm)
	}
}

// confirmLeave is for an UNSUBSCRIBE that Redis confirmed on the link of p.
func (rs *rooms) confirmLeave(p *part, rm *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	// Else it was refused, and unsubscribed only to be forgotten by the client; or Redis had said so before, and by now
	// it may be anything at another home.
	if rm.state == leaving && rm.home == p {
		rs.gone(rm)
	}
}

// gone is for a room that was leaving and is not subscribed any more. mu is held.
func (rs *rooms) gone(rm *room) {
	rm.state = absent
	if rm.count > 0 { // it belongs elsewhere, or somebody came back meanwhile
		rs.queue(rm)
		return
	}
	rs.forget(rm)
}

// refuse is for a SUBSCRIBE of rm alone that Redis refused: it fails those who wait. Those who hold
// rm keep it, and it is tried again later. gap: they are to be told of one, for the first time.
func (rs *rooms) refuse(rm *room, err error, now time.Time) (gap bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	gap = rm.lost && rm.refused == nil
	rm.state, rm.refused = absent, err
	if c := rm.waiting; c != nil {
		rm.count -= c.calls
		rs.answer(rm, fmt.Errorf("room %q: %w: %w", rs.name(rm), ErrRefused, err))
	}
	switch {
	case rm.count == 0:
		rs.forget(rm)
		return false
	case rs.homeOf(rm.channel) != rm.home:
		rs.queue(rm)
	default:
		rm.home.refused.add(rm, now)
	}
	return gap
}

// lose is for a connection of p that ended: what was joined there is lost, what is still wanted is queued.
func (rs *rooms) lose(p *part) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	p.idle.Init()
	clear(p.away)
	for _, rm := range rs.byName {
		if rm.home != p {
			continue
		}
		rm.idle = nil
		if rm.count == 0 && !rm.queued {
			rs.forget(rm)
			continue
		}
		if rm.state == joined {
			rm.lost = true
		}
		rm.state = absent
		rs.queue(rm)
	}
}

// close fails everybody who waits, and every hold from now on, with err.
func (rs *rooms) close(err error) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.closed = err
	for _, rm := range rs.byName {
		if c := rm.waiting; c != nil {
			rm.count -= c.calls
			rs.answer(rm, err)
			if rm.count == 0 && rm.queued {
				rm.home.given++
			}
		}
	}
}

// answer ends the wait of everybody who waits for rm. mu is held.
func (rs *rooms) answer(rm *room, err error) {
	if c := rm.waiting; c != nil {
		rm.waiting = nil
		c.err = err
		close(c.done)
	}
}

// channels is what a command is given for batch.
func channels(batch []*room) []string {
	names := make([]string, len(batch))
	for i, rm := range batch {
		names[i] = rm.channel
	}
	return names
}
