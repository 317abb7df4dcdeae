package pubsub

import (
	"errors"
	"fmt"
)

// check recomputes what must hold between any two calls.
func (rs *rooms) check() error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for name, rm := range rs.byName {
		if rm.channel != rs.prefix+name {
			return fmt.Errorf("room %q stands under %q", rm.channel, name)
		}
		if err := rs.checkRoom(rm); err != nil {
			return fmt.Errorf("room %q, held %d times, told %d, state %d: %w", name, rm.count, rm.holders(), rm.state, err)
		}
	}
	for p := range rs.parts {
		if err := rs.checkPart(p); err != nil {
			return fmt.Errorf("part %q: %w", p.master, err)
		}
	}
	return nil
}

func (rs *rooms) checkRoom(rm *room) error {
	p := rm.home
	_, known := rs.parts[p]
	_, away := p.away[rm]
	strange := rs.homeOf(rm.channel) != p
	switch {
	case !known:
		return errors.New("at home nowhere")
	case rm.count < 0 || rm.holders() < 0:
		return errors.New("held less than never")
	case (rm.idle != nil) != (rm.state == joined && rm.count == 0):
		return fmt.Errorf("idle %v", rm.idle != nil)
	case rm.waiting != nil && (rm.state == joined || rm.waiting.calls == 0):
		return fmt.Errorf("%d wait", rm.waiting.calls)
	case away && rm.state != joined, strange && rm.state == joined && !away:
		return fmt.Errorf("to be moved away %v", away)
	case strange && rm.state == absent:
		return errors.New("to be subscribed where it does not belong")
	}
	places := 0 // where it waits to be subscribed
	for _, there := range []bool{rm.queued, p.refused.has(rm), p.later.has(rm)} {
		if there {
			places++
		}
	}
	switch {
	case rm.state != absent && places != 0, rm.state == absent && places != 1:
		return fmt.Errorf("waits in %d places to be subscribed: queued %v, refused %v, later %v", places, rm.queued, p.refused.has(rm), p.later.has(rm))
	case !rm.queued && rm.state == absent && rm.count == 0:
		return errors.New("not forgotten")
	}
	return nil
}

// checkPart looks for what stands in p's lists and should not. What is missing there, checkRoom finds,
// but for the queue and the idle, where the rooms are counted.
func (rs *rooms) checkPart(p *part) error {
	queued, given, idle := 0, 0, 0
	for _, rm := range rs.byName {
		if rm.home == p && rm.queued {
			queued++
			if rm.count == 0 {
				given++
			}
		}
		if rm.home == p && rm.idle != nil {
			idle++
		}
	}
	if queued != len(p.todo) || idle != p.idle.Len() {
		return fmt.Errorf("%d rooms are queued, %d listed; %d idle, %d listed", queued, len(p.todo), idle, p.idle.Len())
	}
	if given != p.given {
		return fmt.Errorf("%d rooms are queued for nobody, %d counted", given, p.given)
	}
	listed := func(rm *room) error {
		if rs.byName[rs.name(rm)] != rm || rm.home != p {
			return fmt.Errorf("room %q is listed, but not at home", rs.name(rm))
		}
		return nil
	}
	seen := make(map[*room]bool, len(p.todo))
	for _, rm := range p.todo {
		if err := listed(rm); err != nil {
			return err
		}
		if seen[rm] || !rm.queued {
			return fmt.Errorf("room %q is in the queue: twice %v, marked %v", rs.name(rm), seen[rm], rm.queued)
		}
		seen[rm] = true
	}
	for _, set := range []map[*room]struct{}{p.away, p.refused.rooms, p.later.rooms} {
		for rm := range set {
			if err := listed(rm); err != nil {
				return err
			}
		}
	}
	for e := p.idle.Front(); e != nil; e = e.Next() {
		if rm := e.Value.(*room); rm.idle != e {
			return fmt.Errorf("room %q is listed as idle, and does not know", rs.name(rm))
		}
	}
	return nil
}
