package pubsub

import (
	"slices"
	"time"
)

// unsettledRetry is the time after which rooms are tried again that the Cluster could not serve when it
// was asked, unless a new table names another master for them before.
const unsettledRetry = 500 * time.Millisecond

// What follows is for a Cluster, in which rooms move from the part of one master to that of another. A room
// that is joined, or may be, changes its home only once the reader of the old home's link has read that it is
// no longer subscribed there, or that link is over. So no message of it comes from the old home after one
// from the new, and there is no moment at which two links have it.

// rehome is for a new table. What waits to be subscribed goes to where it belongs now, and what is joined
// elsewhere will be unsubscribed there first. What is under way is looked at when its answer comes.
func (rs *rooms) rehome(homeOf func(channel string) *part) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.homeOf = homeOf
	for p := range rs.parts {
		rs.requeue(p)
	}
	for _, rm := range rs.byName {
		if rm.state == joined && homeOf(rm.channel) != rm.home {
			rs.sendAway(rm)
		}
	}
}

// requeue takes from p what waits to be subscribed there and belongs elsewhere now. mu is held.
func (rs *rooms) requeue(p *part) {
	var moved []*room
	stay := p.todo[:0]
	for _, rm := range p.todo {
		if rs.homeOf(rm.channel) == p {
			stay = append(stay, rm)
			continue
		}
		rm.queued = false
		if rm.count > 0 {
			moved = append(moved, rm)
		} else {
			p.given--
			rs.forget(rm)
		}
	}
	clear(p.todo[len(stay):])
	p.todo = stay
	for _, s := range []*postponed{&p.refused, &p.later} {
		for rm := range s.rooms {
			if rs.homeOf(rm.channel) != p {
				moved = append(moved, rm)
			}
		}
	}
	for _, rm := range moved {
		rs.queue(rm)
	}
}

// sendAway has rm, which is joined, unsubscribed where it does not belong any more. mu is held.
func (rs *rooms) sendAway(rm *room) {
	rm.home.away[rm] = struct{}{}
	rm.home.nudge()
}

// postpone is for a SSUBSCRIBE of rm that the Cluster could not serve. Those who wait go on waiting.
func (rs *rooms) postpone(rm *room, now time.Time) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm.state = absent
	rs.again(rm, now)
}

// again has rm, which is absent and not queued, subscribed where it belongs: now if that is another home
// than it has, else later, when the table is newer. mu is held.
func (rs *rooms) again(rm *room, now time.Time) {
	switch {
	case rm.count == 0:
		rs.forget(rm)
	case rs.homeOf(rm.channel) != rm.home:
		rs.queue(rm)
	default:
		rm.home.later.add(rm, now)
		rm.home.nudge() // for the time when it is due
	}
}

// unsubscribed is for a word of Redis that channel is no longer subscribed on the link of p, whether it was
// asked to or not. evicted: nobody had asked, and the room is lost until it is joined anew. Of a room that is
// in no such state, since a later word says what an earlier one did, nothing is changed.
func (rs *rooms) unsubscribed(p *part, channel string, now time.Time) (evicted bool) {
	if len(channel) < len(rs.prefix) {
		return false
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm := rs.byName[channel[len(rs.prefix):]]
	if rm == nil || rm.home != p || rm.channel != channel {
		return false
	}
	switch rm.state {
	case leaving:
		rs.gone(rm)
	case joined:
		rs.keep(rm)
		delete(p.away, rm)
		rm.state = absent
		rm.lost = rm.holders() > 0
		rs.again(rm, now)
		return true
	}
	return false
}

// subscribedAt reports whether channel is a room that is subscribed on the link of p, or about to be.
func (rs *rooms) subscribedAt(p *part, channel string) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rm := rs.byName[channel[min(len(rs.prefix), len(channel)):]]
	return rm != nil && rm.home == p && rm.state != absent
}

// anyAway reports whether one of batch, which are leaving, belongs elsewhere now and is wanted there.
func (rs *rooms) anyAway(batch []*room) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return slices.ContainsFunc(batch, func(rm *room) bool {
		return rm.state == leaving && rm.count > 0 && rs.homeOf(rm.channel) != rm.home
	})
}

// addPart lets rooms be at home at p.
func (rs *rooms) addPart(p *part) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.parts[p] = struct{}{}
}

// removePart is for a part where no room is at home any more: the table does not name it, and its link is over.
func (rs *rooms) removePart(p *part) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.parts, p)
}
