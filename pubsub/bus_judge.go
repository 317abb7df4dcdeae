package pubsub

import (
	"fmt"
	"log/slog"
	"time"
)

func (b *bus) came(via string, sent time.Time) verdict {
	v, stays := b.judge(via, sent, time.Now())
	b.stay(stays)
	return v
}

// judge is came at now. stays: why the link is deaf, if it is and there is no better node.
func (b *bus) judge(via string, sent, now time.Time) (v verdict, stays error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := now.Add(-b.late())
	if via == viaSelf {
		b.self = now
	} else if w := b.ways[via]; w != nil {
		b.hear(via, w, sent, sent.After(before))
	}
	if sent.Before(before) { // the link is late itself. What was sent after this one may come yet
		before = sent
	}
	unheard := false
	for addr, w := range b.ways {
		if heard := w.missed == 0; w.expire(before) > 0 {
			if heard { // one that follows is owed no gap of its own until it is heard again
				b.oweMissed(addr)
			}
			if w.missed >= enoughMissed {
				if v.end, stays = b.deaf(addr); v.end.err != nil {
					return v, nil
				}
			}
		}
		if w.inDoubt() {
			b.well = now
			unheard = unheard || !w.refused // what takes no canary is not likely to take a message that could be lost
		}
	}
	v.alive = via != viaSelf
	if v.proof = v.alive && !unheard; v.proof {
		v.gap, b.owed = b.owed, nil
		if now.Sub(b.well) > b.patience() {
			b.p.hears()
		}
	}
	return v, stays
}

// hear is for a canary that came through via. Only one that came soon shows that it is heard. mu is held.
func (b *bus) hear(via string, w *way, sent time.Time, soon bool) {
	known, lost := w.came(sent)
	if lost {
		b.owe(fmt.Errorf("a canary that %s took did not come to %s, and a later one did", via, b.own))
	}
	if !known || !soon {
		return
	}
	if w.missed > 0 {
		b.owe(fmt.Errorf("%s hears %s again, and did not for a while", b.own, via))
		b.p.heard(b.own, via)
	}
	w.missed, w.doubted, w.refused = 0, false, false
}

// oweMissed notes that addr's first canary is missed. mu is held.
func (b *bus) oweMissed(addr string) {
	b.owe(fmt.Errorf("a canary that %s took did not come to %s", addr, b.own))
}

// oweUnshown notes that for long no other master took a canary. mu is held.
func (b *bus) oweUnshown() {
	b.owe(fmt.Errorf("no other master took a canary, so nothing showed that what is published there comes to %s", b.own))
}

// late is how old a canary is that is missed: a canary timeout, at the tick that is next to it.
func (b *bus) late() time.Duration {
	o := b.p.access.o
	return o.canaryTimeout() - o.canaryInterval()/2
}

// patience is longer than it takes to find that a master is not heard.
func (b *bus) patience() time.Duration {
	o := b.p.access.o
	return time.Duration(1+len(b.ways)+enoughMissed)*o.canaryInterval() + enoughMissed*o.canaryTimeout()
}

func (b *bus) silent() (ending, bool) {
	e, stays := b.judgeSilence(time.Now())
	b.stay(stays)
	return e, e.err != nil
}

// judgeSilence is for a link on which no canary came but those through its own node. If not even these did, the bus is
// not to blame. If no other master took one, the link is no worse than the next would be, and stays, unproven.
func (b *bus) judgeSilence(now time.Time) (e ending, stays error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	missing := ""
	for addr, w := range b.ways {
		// One that was just sent may not be taken.
		if len(w.out) > 0 && w.out[0].Before(now.Add(-b.p.access.o.canaryInterval())) || w.missed > 0 && !w.refused {
			if w.missed == 0 { // should the link stay, and addr not be heard again
				b.oweMissed(addr)
			}
			w.out, w.missed, missing = nil, max(w.missed, enoughMissed), addr
		}
	}
	switch {
	case now.Sub(b.self) >= b.p.access.o.canaryTimeout():
		return endSilent, nil
	case missing == "":
		b.oweUnshown()
		return ending{}, nil
	}
	return b.deaf(missing)
}

// deaf is for a master that the link's node does not hear: the link ends, if another node may fare better. If not, it
// stays, and unready. mu is held.
func (b *bus) deaf(missing string) (e ending, stays error) {
	err := fmt.Errorf("what is published at %s does not come to %s, over the Cluster's bus", missing, b.own)
	if b.p.deafAt(b.own, missing) {
		return ending{reasonBus, err}, nil
	}
	return ending{}, fmt.Errorf("%w, nor to other nodes", err)
}

// stay says that the link stays all the same, if err is not nil.
func (b *bus) stay(err error) {
	if err == nil {
		return
	}
	b.w.blame(err)
	b.told.Do(func() {
		b.w.log.Warn("redis cluster's bus is broken, and no better node was found", slog.Any("error", err), slog.String("advice", advice[reasonBus]))
	})
}
