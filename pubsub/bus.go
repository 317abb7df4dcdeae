package pubsub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A bus is how a Cluster brings to the node of a link what is published at the other masters, as the canaries of that
// link show it. It may be broken between two nodes only: then those through one master do not come, and all others do.
//
// Any doubt, which is a canary that a master took and that did not come, is owed as a gap to all rooms. It is told once no
// way is in doubt any more, or by the end of the link.
type bus struct {
	p   *cluster
	w   watched
	own string // the link's node

	turn int       // through which of the others the last canary went; of the goroutine that sends
	told sync.Once // that the link is deaf and stays

	mu   sync.Mutex // guards what follows
	ways map[string]*way
	last string    // through which master the last canary went
	self time.Time // when one through the link's own node came last
	well time.Time // since when no way is in doubt; at first, when the link began
	owed error     // why messages may have been lost; nil: no gap is owed
}

const (
	// canaryTries is how many masters a canary is tried to be published through, if they do not take it.
	canaryTries = 3

	// enoughMissed canaries of one master, in a row, show that they do not come.
	enoughMissed = 2

	// viaSelf marks a canary through the link's own node. It needs no bus, so it shows that the link is well and no more.
	viaSelf = "self"
)

func (p *cluster) canaries(w watched) canaries {
	b := &bus{p: p, w: w, own: w.server.addr, ways: make(map[string]*way), well: time.Now()}
	for _, d := range p.deafNow() {
		if d.missing != b.own {
			b.ways[d.missing] = &way{doubted: true}
		}
	}
	return b
}

// publish sends a canary through the master whose turn it is, and one through the link's own node if the last has not
// come yet: should none come, that tells a broken bus from a broken link.
func (b *bus) publish(ctx context.Context, channel, payload string, sent time.Time) error {
	others := b.order()
	if b.quiet() && others[0] != b.own {
		_ = within(ctx, b.p.access.o.canaryInterval()/4, func(ctx context.Context) error {
			return b.p.publishAt(ctx, b.own, channel, payload+" "+viaSelf) // the watch says what is wrong with it
		})
	}
	var refused, failed error
	for _, addr := range others[:min(canaryTries, len(others))] {
		if inDoubt := b.sent(addr, sent); inDoubt { // before, since it may come before the answer does
			b.p.survey.clients.drop(addr) // its name may have come to mean another server, and the old one lives on
		}
		err := b.p.publishAt(ctx, addr, channel, payload+" "+addr)
		b.answered(addr, sent, err)
		switch {
		case err == nil:
			return nil
		case isReply(err):
			refused = err
		default:
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
	return p.survey.clients.use(addr, func(c *redis.Client) error { return c.Publish(ctx, channel, payload).Err() })
}

// order is the masters to try, those in doubt first, but for those that took nothing when they were asked last: they
// may keep a canary until its time is over. Ways from those that are no masters any more end here.
func (b *bus) order() []string {
	turn := b.turn
	others := b.p.others(b.w.server, &turn)
	b.mu.Lock()
	defer b.mu.Unlock()
	for addr, w := range b.ways {
		if !slices.Contains(others, addr) {
			if w.inDoubt() || len(w.out) > 0 {
				b.owe(fmt.Errorf("not all that was published at %s has come to %s, and it is no master any more", addr, b.own))
			}
			delete(b.ways, addr)
		}
	}
	i := slices.IndexFunc(others, func(addr string) bool {
		w := b.ways[addr]
		return w != nil && w.inDoubt() && !w.refused && len(w.out) == 0
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
	return w != nil && len(w.out) > 0
}

// sent notes that a canary goes through addr.
func (b *bus) sent(addr string, sent time.Time) (inDoubt bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.ways[addr]
	if w == nil {
		w = &way{}
		b.ways[addr] = w
	}
	w.out = append(w.out, sent)
	b.last = addr
	return w.inDoubt()
}

// answered notes what addr answered to it.
func (b *bus) answered(addr string, sent time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.ways[addr]; err == nil {
		w.refused = false
	} else {
		w.untaken(sent)
	}
}

// owe notes why a gap is owed. mu is held.
func (b *bus) owe(err error) {
	if b.owed == nil {
		b.owed = err
	}
}

func (b *bus) close() {}
