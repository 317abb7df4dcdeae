package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
)

// A link is the life of one subscription connection: it is dialled, all rooms are subscribed, it
// is proven by canaries, it ends. The next connection is another link.
type link struct {
	b      *Broker
	p      *part
	r      Receiver
	log    *slog.Logger
	server server
	client *redis.Client // of this link alone
	conn   oneConn       // what client dials
	end    func(ending)  // ends the link, and blocks nobody; set by run before its goroutines start
	ps     *redis.PubSub // Receive is the reader's; Subscribe and Unsubscribe are agree's

	window   atomic.Pointer[window] // under way; set by agree, advanced by the reader
	fences   int                    // sent; agree's
	canaries canaries
	canary   atomic.Pointer[string] // the channel on which the link hears itself; set by agree
	evicted  atomic.Bool            // the canary's slot has moved away; set by the reader, cleared by agree
	staleMu  sync.Mutex             // guards stale
	stale    []string               // channels that are not subscribed, though go-redis believes so
	silence  *time.Timer            // ends the link unless it is reset; set before the goroutines start

	began        time.Time
	resubscribed chan struct{} // closed by agree once all rooms of earlier links are confirmed or refused
	live         chan struct{} // closed by the reader at the first canary
	liveSince    time.Time     // set before live is closed; the reader's until then
	gaps         int           // told on this link; the reader's
}

func newLink(b *Broker, p *part, r Receiver, s server) *link {
	l := &link{
		b: b, p: p, r: r, log: b.log.With(slog.Any("addr", s)), server: s, began: time.Now(),
		resubscribed: make(chan struct{}), live: make(chan struct{}),
	}
	l.canary.Store(&b.canary)
	if l.sharded() {
		l.canaries = b.shards.canaries(p)
		if canary, ok := b.shards.canaryAt(p); ok { // else the link is about to end
			l.canary.Store(&canary)
		}
	} else {
		l.canaries = b.place.canaries(l.watched())
	}
	ro := b.access.options()
	ro.Addr, ro.PoolSize = s.addr, 1
	ro.OnConnect = func(ctx context.Context, c *redis.Conn) error { return checkRole(ctx, c) }
	ro.Dialer = l.conn.dialer(b.access, s)
	l.client = redis.NewClient(ro)
	return l
}

// run is the link's whole life. It returns why it ended, after all its goroutines did.
func (l *link) run(parent context.Context) ending {
	ctx, cancel := context.WithCancelCause(parent)
	// Whatever ends the link ends it by this: closing the connection ends the reader, and ctx the rest.
	l.end = func(e ending) {
		cancel(e)
		l.conn.close()
		if e.reason.elsewhere() { // those who publish are connected to the same wrong server
			l.b.access.conns.closeAll()
			l.b.shards.unfollow(l.p)
		}
	}
	defer cancel(nil) // a link that never came about ends here
	defer l.canaries.close()
	defer l.client.Close()
	defer context.AfterFunc(parent, l.conn.close)()

	l.ps = l.client.Subscribe(ctx) // no channel yet, so no I/O
	defer l.ps.Close()
	first := l.ownWindow()
	if err := l.send(ctx, first); err != nil { // dials, and authenticates
		return endingOf(reasonDial, fmt.Errorf("connecting: %w", err))
	}
	if l.sharded() {
		l.b.shards.follow(l.p, l.conn.remote())
	} else {
		l.b.access.conns.follow(l.conn.remote())
	}
	l.silence = time.AfterFunc(math.MaxInt64, func() { l.silent(ctx) }) // it uses what is assigned here
	l.silence.Reset(l.b.o.canaryTimeout())
	defer l.silence.Stop()

	var wg sync.WaitGroup
	wg.Go(func() { l.end(l.read(ctx)) }) // all four end with ctx, or the connection
	wg.Go(func() { l.end(l.agree(ctx, first)) })
	wg.Go(func() { l.sendCanaries(ctx) })
	wg.Go(func() {
		if l.sharded() {
			return // the slot table says which masters there are
		}
		if e, over := l.b.place.watch(ctx, l.watched()); over {
			l.end(e)
		}
	})
	wg.Wait()
	e, _ := errors.AsType[ending](context.Cause(ctx))
	return e
}

// watched is what the place has to know of the link.
func (l *link) watched() watched {
	return watched{server: l.server, remote: l.conn.remote(), blame: l.p.health.blame, log: l.log}
}

// lived is for how long the link was proven to deliver.
func (l *link) lived() time.Duration {
	select {
	case <-l.live:
		return time.Since(l.liveSince)
	default:
		return 0
	}
}

// read hands on what Redis sends, until the connection ends.
func (l *link) read(ctx context.Context) ending {
	for {
		reply, err := l.ps.Receive(ctx)
		if err != nil {
			if (isRefusal(err) || isUnsettled(err)) && l.refused(err) {
				continue
			}
			return endingOf(reasonClosed, l.explain(err))
		}
		switch reply := reply.(type) {
		case *redis.Message:
			l.message(reply)
		case *redis.Subscription:
			if err := l.confirmed(reply); err != nil {
				return endingOf(reasonProtocol, err)
			}
		case *redis.Pong:
			if err := l.ponged(reply.Payload); err != nil {
				return endingOf(reasonProtocol, err)
			}
		}
	}
}

// message hands on one message, of a room or of control, or takes it as the canary that it is.
func (l *link) message(m *redis.Message) {
	// go-redis has made this string for this message alone and keeps no reference, so the bytes may
	// be shared without a copy: they live as long as payload, and nobody writes to them.
	payload := unsafe.Slice(unsafe.StringData(m.Payload), len(m.Payload))
	if m.Channel == *l.canary.Load() {
		l.heard(payload)
		return
	}
	if control := l.b.o.ControlChannel; control != "" && m.Channel == control {
		l.r.Control(payload)
		return
	}
	if room, ours := strings.CutPrefix(m.Channel, l.b.o.ChannelPrefix); ours {
		l.b.metrics.messages.Inc()
		l.r.Deliver(room, payload)
	}
}

// A oneConn dials one connection and never a second. go-redis reconnects by itself, within Receive
// and under the PubSub's lock, with one SUBSCRIBE of every channel at once; a dial that fails is
// what keeps it from that.
type oneConn struct {
	mu     sync.Mutex
	dialed bool
	closed bool
	tcp    net.Conn // the one, below TLS, whose Close never waits; nil until dialled
}

var errLinkOver = errors.New("pubsub: this link is over")

func (c *oneConn) dialer(a *access, s server) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		c.mu.Lock()
		over := c.dialed || c.closed
		c.dialed = true
		c.mu.Unlock()
		if over {
			return nil, errLinkOver
		}
		tcp, err := a.connect(ctx, s)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.tcp = tcp
		over = c.closed
		c.mu.Unlock()
		if over {
			tcp.Close()
			return nil, errLinkOver
		}
		return a.secure(ctx, s, tcp)
	}
}

// close ends the connection, and with it whatever reads or writes there.
func (c *oneConn) close() {
	c.mu.Lock()
	c.closed = true
	tcp := c.tcp
	c.mu.Unlock()
	if tcp != nil {
		tcp.Close()
	}
}

// remote is where the connection leads; nil if there is none.
func (c *oneConn) remote() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tcp == nil {
		return nil
	}
	return c.tcp.RemoteAddr()
}
