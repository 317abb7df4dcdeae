package pubsub

import (
	"cmp"
	"context"
	"errors"
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

	mu      sync.Mutex // guards what follows
	ways    map[string]*way
	last    string    // which master took the last canary that one did
	untaken time.Time // since when none takes any; zero: one took the last
	self    time.Time // when one through the link's own node came last
	well    time.Time // since when no way is in doubt; at first, when the link began
	owed    error     // why messages may have been lost; nil: no gap is owed
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
// come yet, or none took it: should none come, that tells a broken bus from a broken link.
func (b *bus) publish(ctx context.Context, channel, payload string, sent time.Time) error {
	others, late := b.order()
	if b.quiet() && others[0] != b.own {
		_ = within(ctx, b.p.access.o.canaryInterval()/4, func(ctx context.Context) error {
			return b.p.publishAt(ctx, b.own, channel, payload+" "+viaSelf) // the watch says what is wrong with it
		})
	}
	var refused, failed error
	for _, addr := range others[:min(canaryTries, len(others))] {
		taken, err := b.through(ctx, addr, channel, payload, sent)
		switch {
		case taken:
			if late != "" {
				_, _ = b.through(ctx, late, channel, payload, sent)
			}
			return err
		case isReply(err):
			refused = err
		default:
			failed = err
		}
		if !b.timeFor(ctx) {
			break
		}
	}
	b.noneTook(others, sent)
	b.p.lookAgain(ctx)
	// A refusal keeps a silent link alive, and so it must be that of each which was asked: one master that lacks the
	// others' ACL would keep it for ever.
	return cmp.Or(failed, refused)
}

// timeFor reports whether ctx has time for another master. One that is asked with less would be taken for one that hangs.
func (b *bus) timeFor(ctx context.Context) bool {
	end, ends := ctx.Deadline()
	return ctx.Err() == nil && (!ends || time.Until(end) > b.p.access.o.canaryInterval()/canaryTries/2)
}

// through publishes one at addr. Of one that was taken, err says why it went over the connection that there was.
func (b *bus) through(ctx context.Context, addr, channel, payload string, sent time.Time) (taken bool, err error) {
	anew, limit := b.sent(addr, sent) // before, since it may come before the answer does
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if anew {
		if err = within(ctx, limit/2, func(ctx context.Context) error {
			return b.p.survey.clients.renew(addr, func(c *redis.Client) error { return c.Publish(ctx, channel, payload+" "+addr).Err() })
		}); err == nil {
			b.answered(addr, sent, nil)
			return true, nil
		}
		err = errors.New("over a new connection: " + err.Error()) // no answer of Redis to this canary, as a prober has it
	}
	old := b.p.publishAt(ctx, addr, channel, payload+" "+addr)
	b.answered(addr, sent, old)
	if old != nil {
		return false, old
	}
	return true, err
}

func (p *cluster) publishAt(ctx context.Context, addr, channel, payload string) error {
	return p.survey.clients.use(addr, func(c *redis.Client) error { return c.Publish(ctx, channel, payload).Err() })
}

// order is the masters to try, those in doubt first, but for those that took nothing when they were asked last: they may
// hang. One of them whose turn it is all the same is late: it comes after another has taken one, and may keep what time is
// left. Empty: nobody is. Ways from those that are no masters any more end here.
func (b *bus) order() (first []string, late string) {
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
	if i := slices.IndexFunc(others, func(addr string) bool {
		w := b.ways[addr]
		return w != nil && w.inDoubt() && !w.refused && len(w.out) == 0
	}); i >= 0 {
		return slices.Insert(slices.Delete(slices.Clone(others), i, i+1), 0, others[i]), ""
	}
	b.turn = turn
	refused := func(addr string) bool { return b.ways[addr] != nil && b.ways[addr].refused }
	first = slices.DeleteFunc(slices.Clone(others), refused)
	if len(first) == 0 {
		return others, ""
	}
	if refused(others[0]) {
		late = others[0]
	}
	return first, late
}

// quiet reports whether the last canary has not come yet, or none was taken.
func (b *bus) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.ways[b.last]
	return !b.untaken.IsZero() || w != nil && len(w.out) > 0
}

// sent notes that a canary goes through addr. anew: over a new connection, as a prober's; and that of a master in doubt,
// whose name may mean another server by now. limit is how long it may take: if a master begins to hang, there is time for
// others, and then it has all that they leave.
func (b *bus) sent(addr string, sent time.Time) (anew bool, limit time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.ways[addr]
	if w == nil {
		w = &way{}
		b.ways[addr] = w
	}
	w.out = append(w.out, sent)
	limit = b.p.access.o.canaryInterval()
	if !w.refused {
		limit /= canaryTries
	}
	if w.carried++; w.carried > renewAfter || w.inDoubt() {
		w.carried, anew = 1, true
		limit = min(2*limit, b.p.access.o.canaryInterval()) // half of it for the new connection, and then for the old one
	}
	return anew, limit
}

// answered notes what addr answered to it.
func (b *bus) answered(addr string, sent time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.ways[addr]; err == nil {
		b.last, b.untaken = addr, time.Time{}
		w.refused = false
	} else {
		w.untaken(sent)
	}
}

// noneTook notes that none took the canary. If all refuse, the link is not silent, and what is published at others is not
// shown to come either.
func (b *bus) noneTook(masters []string, sent time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.untaken.IsZero() {
		b.untaken = sent
	}
	if sent.Sub(b.untaken) >= b.late() && masters[0] != b.own {
		b.oweUnshown()
	}
}

// owe notes why a gap is owed. mu is held.
func (b *bus) owe(err error) {
	if b.owed == nil {
		b.owed = err
	}
}

func (b *bus) close() {}
