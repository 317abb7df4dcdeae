package pubsub

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A bus is how a Cluster brings to the node of a link what is published at the other masters, as the canaries of that
// link show it. It may be broken between two nodes only: then those through one master do not come, and all others do.
type bus struct {
	p   *cluster
	w   watched
	own string // the link's node

	turn int // through which of the others the last canary went; of the goroutine that sends

	mu      sync.Mutex // guards what follows
	began   time.Time
	ways    map[string]*way     // from each master that has taken a canary
	doubted map[string]struct{} // masters that earlier links did not hear at other nodes, and this has not yet
	last    string              // through which master the last canary went
	self    time.Time           // when one through the link's own node came last
	told    bool
}

// A way is that from one master.
type way struct {
	out    time.Time // when the canary that is under way was sent; zero: none is
	missed int       // how many did not come, in a row
}

const (
	// canaryTries is how many masters a canary is tried to be published through, if they do not take it.
	canaryTries = 3

	// enoughMissed canaries of one master, in a row and each out for a canary timeout, show that they do not come.
	enoughMissed = 2

	// viaSelf marks a canary through the link's own node. It needs no bus, so it shows that the link is well and no more.
	viaSelf = "self"
)

func (p *cluster) canaries(w watched) canaries {
	b := &bus{p: p, w: w, own: w.server.addr, began: time.Now(), ways: make(map[string]*way), doubted: make(map[string]struct{})}
	for _, d := range p.deafNow() {
		if d.missing != b.own {
			b.doubted[d.missing] = struct{}{}
		}
	}
	return b
}

// publish sends a canary through the master whose turn it is, and one through the link's own node if the last has not
// come yet: should none come, that tells a broken bus from a broken link.
func (b *bus) publish(ctx context.Context, channel, payload string) error {
	others := b.order()
	if b.quiet() && others[0] != b.own {
		_ = within(ctx, b.p.access.o.canaryInterval()/4, func(ctx context.Context) error {
			return b.p.publishAt(ctx, b.own, channel, payload+" "+viaSelf) // the watch says what is wrong with it
		})
	}
	var refused, failed error
	for _, addr := range others[:min(canaryTries, len(others))] {
		b.sent(addr, time.Now()) // before, since it may come before the answer does
		err := b.p.publishAt(ctx, addr, channel, payload+" "+addr)
		if err == nil {
			return nil
		}
		b.untaken(addr)
		if isReply(err) {
			refused = err
		} else {
			failed = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	// A refusal keeps a silent link alive, and so it must be that of each which was asked: one master that lacks the
	// others' ACL would keep it for ever.
	return cmp.Or(failed, refused)
}

func (p *cluster) publishAt(ctx context.Context, addr, channel, payload string) error {
	c, err := p.survey.clients.at(addr)
	if err != nil {
		return err
	}
	return c.Publish(ctx, channel, payload).Err()
}

// order is the masters to try, those in doubt first.
func (b *bus) order() []string {
	turn := b.turn
	others := b.p.others(b.w.server, &turn)
	b.mu.Lock()
	defer b.mu.Unlock()
	for addr := range b.ways {
		if !slices.Contains(others, addr) {
			delete(b.ways, addr)
		}
	}
	for addr := range b.doubted {
		if !slices.Contains(others, addr) {
			delete(b.doubted, addr)
		}
	}
	i := slices.IndexFunc(others, func(addr string) bool {
		w := b.ways[addr]
		_, doubted := b.doubted[addr]
		return doubted && w == nil || w != nil && w.missed > 0 && w.out.IsZero()
	})
	if i < 0 {
		b.turn = turn
		return others
	}
	return slices.Insert(slices.Delete(slices.Clone(others), i, i+1), 0, others[i])
}

// quiet reports whether the last canary has not come yet.
func (b *bus) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.ways[b.last]
	return w != nil && !w.out.IsZero()
}

// sent notes that a canary goes through addr.
func (b *bus) sent(addr string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.ways[addr]
	if w == nil {
		w = &way{}
		b.ways[addr] = w
	}
	if w.out.IsZero() { // else that one counts, which is out for longer
		w.out = now
	}
	b.last = addr
}

// untaken notes that addr did not take the canary: what is not published cannot come, and shows nothing.
func (b *bus) untaken(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ways, addr)
	delete(b.doubted, addr)
}

func (b *bus) came(via string, sent time.Time) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.judge(via, sent, time.Now())
}

// judge is came at now. mu is held.
func (b *bus) judge(via string, sent, now time.Time) verdict {
	if via == viaSelf {
		b.self = now
	} else if w := b.ways[via]; w != nil {
		if w.missed >= enoughMissed { // the link had to stay all the same, and owes its rooms a gap
			return verdict{end: ending{reasonBus, fmt.Errorf("%s hears %s again, and did not for a while", b.own, via)}}
		}
		*w = way{}
	}
	delete(b.doubted, via)
	v := verdict{alive: via != viaSelf, proof: via != viaSelf && len(b.doubted) == 0}
	timeout, missed := b.p.access.o.canaryTimeout(), 0
	for addr, w := range b.ways {
		if !w.out.IsZero() && w.out.Before(sent) && now.Sub(w.out) >= timeout {
			w.out = time.Time{}
			if w.missed++; w.missed == enoughMissed {
				if v.end = b.deaf(addr); v.end.err != nil {
					return v
				}
			}
		}
		missed = max(missed, w.missed)
	}
	switch {
	case missed >= enoughMissed:
		v.proof = false
	case missed == 0 && v.proof && now.Sub(b.began) > b.patience():
		b.p.hears()
	}
	return v
}

// patience is longer than it takes to find that a master is not heard.
func (b *bus) patience() time.Duration {
	o := b.p.access.o
	return time.Duration(1+len(b.ways)+enoughMissed)*o.canaryInterval() + enoughMissed*o.canaryTimeout()
}

// silent is for a link on which no canary came but those through its own node. If not even these did, the bus is not to
// blame.
func (b *bus) silent() (ending, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	missing := ""
	for addr, w := range b.ways {
		if !w.out.IsZero() || w.missed > 0 {
			w.out, w.missed, missing = time.Time{}, max(w.missed, enoughMissed), addr
		}
	}
	if missing == "" || time.Since(b.self) >= b.p.access.o.canaryTimeout() {
		return endSilent, true
	}
	e := b.deaf(missing)
	return e, e.err != nil
}

// deaf is for a master that the link's node does not hear: the link ends, if another node may fare better. If not, it
// stays, and unready. mu is held.
func (b *bus) deaf(missing string) ending {
	err := fmt.Errorf("what is published at %s does not come to %s, over the Cluster's bus", missing, b.own)
	if b.p.deafAt(b.own, missing) {
		return ending{reasonBus, err}
	}
	b.w.blame(fmt.Errorf("%w, nor to other nodes", err))
	if !b.told {
		b.told = true
		b.w.log.Warn("redis cluster's bus is broken, and no better node was found", slog.Any("error", err), slog.String("advice", advice[reasonBus]))
	}
	return ending{}
}

func (b *bus) close() {}
