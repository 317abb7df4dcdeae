package pubsub

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// renewAfter is how many canaries go over one connection. A connection that stays proves that the link hears whoever
// published over it; only a new one proves that it hears those who connect now, when a name or a virtual address has
// moved to another server and the old one lives on.
const renewAfter = 5

// A prober publishes canaries at one server, over a connection of its own, so that they wait behind nobody.
type prober struct {
	interval time.Duration // a connection lives for renewAfter of these
	make     func() *redis.Client
	send     func(ctx context.Context, c *redis.Client, channel, payload string) error

	client *redis.Client // nil before the first canary
	since  time.Time     // when client was made
}

// newProber makes one whose clients make makes, and that sends canaries by PUBLISH.
func newProber(a *access, make func() *redis.Client) *prober {
	return &prober{interval: a.o.canaryInterval(), make: make, send: func(ctx context.Context, c *redis.Client, channel, payload string) error {
		return c.Publish(ctx, channel, payload).Err()
	}}
}

// publish sends a canary. If no new connection can be had, it goes over the old one, and err says so: what is connected
// already may go on working, as after a change of password. That is no answer of Redis to this canary, whose silence
// counts as any other does, so the error does not wrap one. But a new connection at which the slot is not leads to another
// server than the old one may: what goes to the old one proves nothing any more.
func (p *prober) publish(ctx context.Context, channel, payload string, _ time.Time) error {
	if p.client == nil {
		p.client, p.since = p.make(), time.Now()
	}
	if time.Since(p.since) < renewAfter*p.interval {
		return p.send(ctx, p.client, channel, payload)
	}
	next := p.make()
	err := within(ctx, p.interval/2, func(ctx context.Context) error { return p.send(ctx, next, channel, payload) })
	if err == nil || isMoved(err) {
		p.client.Close()
		p.client, p.since = next, time.Now()
		return err
	}
	next.Close()
	if old := p.send(ctx, p.client, channel, payload); old != nil {
		return old
	}
	return errors.New("over a new connection: " + err.Error())
}

// came is for a canary of this one server, which proves all there is to prove.
func (p *prober) came(string, time.Time) verdict { return verdict{alive: true, proof: true} }

func (p *prober) silent() (ending, bool) { return endSilent, true }

// A lasting prober is its place's, and outlives the link: a link that comes back makes one connection, and not two.
type lasting struct{ *prober }

func (lasting) close() {}

func (p *prober) close() {
	if p.client != nil {
		p.client.Close()
	}
}
