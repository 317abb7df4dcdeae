// Package pubsub keeps one Redis subscription for each room that somebody here is in,
// and hands on each message it reads. It knows nothing of connections or tokens.
//
// Key invariants
//   - Subscribe returns nil only once Redis has confirmed. What is published later is delivered, or
//     a Gap is, in its place among the messages of that room.
//   - Deliver and Gap are called for one room from one goroutine at a time, the reader of the connection that
//     has its subscription; Control from one, too. There is one connection, and so one goroutine for all; with
//     sharded pub/sub there is one for each master of the Cluster.
//   - A room is subscribed on one connection at a time. It goes to another only once the reader of the one has
//     read that it is unsubscribed there, or that connection is over.
//   - A message of the control channel never reaches Deliver, and one of a room never Control.
//   - On a connection at most maxBatch rooms are being subscribed or unsubscribed, never both.
//   - A room at rest costs its entry: no goroutine, timer or channel.
package pubsub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redisurl"
)

// canaryPrefix begins the channel on which a Broker hears itself. It does not stand under
// Options.ChannelPrefix, so that no client can be let into it as into a room.
const canaryPrefix = "roomgate:canary:"

var (
	// ErrRefused says that Redis does not let this user subscribe to the room (ACL).
	ErrRefused = errors.New("refused by Redis")

	// ErrClosed says that Run has returned, or is about to.
	ErrClosed = errors.New("pubsub: closed")
)

// A Receiver gets what a Broker reads. Its methods must not block: while one runs, nothing is read of the
// connection it came from. They are called from one goroutine, one at a time; with Options.Sharded from several
// at a time, but never for the same room.
type Receiver interface {
	// Deliver hands on one message, in the order in which Redis had them. Nobody writes to payload,
	// now or later, so it may be kept. A message may still come for a room that was unsubscribed.
	Deliver(room string, payload []byte)

	// Gap says that messages of room may have been lost before now. It is called once Redis has
	// confirmed the new subscription, so that what is read elsewhere after it leaves no hole; and
	// once, too, if Redis refuses that subscription, which is then tried again until it is
	// confirmed, with another Gap, or nobody holds the room. Where the bus of a Cluster lost messages and works again, it
	// is called on the same subscription.
	Gap(room string)

	// Control hands on one message of Options.ControlChannel, under the rules of Deliver. It may
	// come before the rooms of a new connection are subscribed. None is repeated after an outage.
	Control(payload []byte)
}

// A Broker holds one connection to Redis for all subscriptions, or with Options.Sharded one to each master, and others
// to publish.
type Broker struct {
	o       Options
	access  *access
	place   place
	log     *slog.Logger
	canary  string // its own channel, whose name cannot be guessed
	publish redis.UniversalClient
	keys    redis.UniversalClient // looks keys up, in the database that the URL names; nobody else needs SELECT
	metrics metrics
	epoch   time.Time // what canaries count from

	rooms  *rooms
	only   *part   // of all rooms; nil with Options.Sharded
	shards *shards // with Options.Sharded only

	started atomic.Bool // Run was called
}

// New makes a Broker of o, without connecting to anything: it reads the files of certificates
// that Options names and does no other I/O. Its error never holds a password.
func New(o Options) (*Broker, error) {
	if o.canaryTimeout() <= o.canaryInterval() {
		return nil, fmt.Errorf("canary timeout %v must exceed the interval %v", o.canaryTimeout(), o.canaryInterval())
	}
	if o.ControlChannel != "" && strings.HasPrefix(o.ControlChannel, o.ChannelPrefix) {
		return nil, fmt.Errorf("control channel %q must not begin with the channel prefix %q: who may publish to a room of that name would be obeyed",
			o.ControlChannel, o.ChannelPrefix)
	}
	a, err := newAccess(o)
	if err != nil {
		return nil, err
	}
	if o.Sharded && a.url.Mode != redisurl.Cluster {
		return nil, errors.New("redis: sharded pub/sub is for a Cluster only: write redis+cluster:// in the URL, or turn it off")
	}
	b := &Broker{
		o:      o,
		access: a,
		place:  newPlace(a),
		log:    o.log().With(slog.Any("redis", a.url.String())),
		canary: canaryPrefix + rand.Text(),
		epoch:  time.Now(),
	}
	b.rooms = newRooms(o.ChannelPrefix, o.leaveDelay(), b.firstPart())
	b.publish = newPool(a, b.place, 0, 0)
	b.keys = b.place.keyed(a.url.DB)
	if b.metrics, err = newMetrics(b); err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return b, nil
}

// firstPart is where every room is at home at first: for good, or until the slot table is known.
func (b *Broker) firstPart() *part {
	if b.o.Sharded {
		b.shards = newShards(b, b.place.(*cluster).survey) // New has seen to it that the URL is that of a Cluster
		return b.shards.nowhere
	}
	b.only = newPart("", b.o.canaryTimeout())
	b.only.health.blame(errNotYet)
	return b.only
}

// closeClients closes what New made.
func (b *Broker) closeClients() {
	if b.shards != nil {
		b.shards.close()
	}
	b.publish.Close()
	b.keys.Close()
	b.place.close()
}

// Run keeps the Broker connected and calls r, until ctx ends; then it ends all that it started, and
// returns nil. It may be called once.
func (b *Broker) Run(ctx context.Context, r Receiver) error {
	if b.started.Swap(true) {
		return errors.New("pubsub: Run was called before")
	}
	defer b.closeClients()
	defer b.rooms.close(ErrClosed)
	if b.shards != nil {
		b.shards.run(ctx, r)
		return nil
	}
	b.serve(ctx, b.only, r)
	return nil
}

// serve keeps p connected, one link after the other, until ctx ends.
func (b *Broker) serve(ctx context.Context, p *part, r Receiver) {
	defer p.health.end(ErrClosed)
	var wait backoff
	report := report{log: b.log}
	if p.master != "" {
		report.log = b.log.With(slog.String("addr", p.master))
	}
	for {
		end, lived := b.connect(ctx, p, r)
		b.rooms.lose(p)
		b.shards.hint()
		if ctx.Err() != nil {
			return
		}
		b.metrics.reconnects[end.reason].Inc()
		p.health.blame(end)
		if lived > maxBackoff {
			wait.reset()
		}
		pause := wait.next()
		report.down(end, lived, pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// connect finds Redis, and is the life of one link there. lived is for how long it was proven to deliver.
func (b *Broker) connect(ctx context.Context, p *part, r Receiver) (end ending, lived time.Duration) {
	if p.master != "" {
		l := newLink(b, p, r, server{addr: p.master})
		end = l.run(ctx)
		return end, l.lived()
	}
	s, err := b.place.pick(ctx)
	if err != nil {
		return endingOf(reasonDial, fmt.Errorf("finding Redis: %w", err)), 0
	}
	l := newLink(b, p, r, s)
	end = l.run(ctx)
	b.place.failed(s)
	return end, l.lived()
}

// Subscribe counts one more holder of room, and returns nil once Redis has confirmed the
// subscription: what is published later will arrive. On an error nothing is held: one that wraps
// ErrRefused, ErrClosed, or ctx's, which alone limits the wait while Redis is away.
func (b *Broker) Subscribe(ctx context.Context, room string) error {
	c, err := b.rooms.hold(room)
	if c == nil {
		return err
	}
	began := time.Now()
	select {
	case <-c.done:
		b.metrics.subscribe.Observe(time.Since(began).Seconds())
		return c.err
	case <-ctx.Done():
		if !b.rooms.giveUp(room, c, time.Now()) {
			return c.err // it was done at the same moment
		}
		return fmt.Errorf("waiting for Redis to confirm room %q: %w", room, context.Cause(ctx))
	}
}

// Unsubscribe ends one successful Subscribe. It never blocks. Redis is told after
// Options.LeaveDelay, unless somebody comes back before.
func (b *Broker) Unsubscribe(room string) {
	if !b.rooms.drop(room, time.Now()) {
		b.log.Error("pubsub: Unsubscribe without Subscribe", slog.String("room", room))
		return
	}
}

// Publish sends payload to room, through Redis, and returns once Redis has it. After an error it
// may have it or not: nothing is sent twice.
func (b *Broker) Publish(ctx context.Context, room string, payload []byte) error {
	if _, err := b.send(ctx, room, payload); err != nil {
		return fmt.Errorf("publishing to room %q: %w", room, err)
	}
	return nil
}

// send publishes and returns how many subscribers had it.
func (b *Broker) send(ctx context.Context, room string, payload []byte) (receivers int64, err error) {
	if b.shards != nil {
		return b.shards.publisher.publish(ctx, b.o.ChannelPrefix+room, payload)
	}
	return b.publish.Publish(ctx, b.o.ChannelPrefix+room, payload).Result()
}

// Ready returns nil if Redis was proven to deliver within the last Options.CanaryTimeout, so that
// one quick reconnect changes nothing; else why it is not. Having been unready, it wants two proofs
// in a row. It is cheap.
//
// With Options.Sharded that must hold of more than half of the masters that own slots.
func (b *Broker) Ready() error {
	if b.shards != nil {
		return b.shards.ready(time.Now())
	}
	return b.only.health.ready(time.Now())
}

// Rooms is how many rooms are subscribed, or about to be.
func (b *Broker) Rooms() int { return b.rooms.len() }

// Check recomputes the invariants of the Broker's books, and returns the first that does not hold.
func (b *Broker) Check() error { return b.rooms.check() }
