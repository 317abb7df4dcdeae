// Package gateway holds WebSocket connections and sends each room's messages to its members.
// It knows nothing of Redis: rooms and messages come and go through the Rooms interface and
// the methods Deliver and Gap.
//
// Invariants (Check recomputes them):
//   - A connection's rooms are exactly those whose lane lists it as a member.
//   - A room exists while it has members.
//   - Frames of a connection are written by its outbox only, whole, in the order of sending.
//   - Nothing waits for a client: a send is tried, queued, or ends that client's connection.
package gateway

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roomgate/roomgate/auth"
)

// Rooms is where messages come from and go to.
type Rooms interface {
	// Subscribe returns nil once later messages to room will arrive. Each nil is paired
	// with one Unsubscribe.
	Subscribe(ctx context.Context, room string) error
	// Unsubscribe does not block.
	Unsubscribe(room string)
	// Publish returns nil once Redis has taken payload.
	Publish(ctx context.Context, room string, payload []byte) error
	// Ready returns why rooms cannot be joined now, or nil. It is asked at each upgrade.
	Ready() error
}

// Tokens verifies tokens. An *auth.Error says what is wrong with the token; any other error,
// that it cannot be verified now.
type Tokens interface {
	Verify(ctx context.Context, token string) (*auth.Grant, error)
}

// A Gateway is an http.Handler for WebSocket connections. See New.
type Gateway struct {
	settings atomic.Pointer[settings] // replaced as a whole by Reload
	rooms    Rooms
	log      *slog.Logger
	metrics  *metrics
	start    time.Time
	seed     maphash.Seed

	lanes   []*lane
	posting posting
	wheel   wheel
	poller  *poller

	ctx    context.Context // of everything the gateway waits for; ends when Run does
	cancel context.CancelFunc
	active sync.WaitGroup // goroutines of connections

	control   chan selector // commands to carry out; never closed
	draining  atomic.Bool
	admitted  atomic.Int64 // connections and upgrades under way: what Connections limits
	backlog   backlog
	addresses addresses
	users     users
	connects  connects
	returning returning
	lines     sampler
	looks     looks

	mu      sync.Mutex // guards what follows
	stopped bool       // Run has ended, or is about to: nothing is let in
	conns   map[*conn]struct{}
	empty   chan struct{} // closed when conns is empty and somebody waits for that; else nil
}

// New returns a gateway. It does nothing until Run. Errors name the option.
func New(o Options) (*Gateway, error) {
	s, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		rooms:   s.Rooms,
		log:     s.Log,
		start:   time.Now(),
		seed:    maphash.MakeSeed(),
		poller:  p,
		control: make(chan selector, controlQueue),
		conns:   make(map[*conn]struct{}),
	}
	g.use(s)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.metrics = newMetrics(s.Metrics, g)
	for range max(4, 2*runtime.GOMAXPROCS(0)) {
		g.lanes = append(g.lanes, &lane{g: g, wake: make(chan struct{}, 1), rooms: make(map[string]*room)})
	}
	return g, nil
}

// opts returns the settings of this moment. What is done as one takes them once.
func (g *Gateway) opts() *settings { return g.settings.Load() }

// Reload replaces all options at once, but for Rooms, Log and Metrics, which stay as they
// are. What is decided when a connection begins (its format, the limits of its outbox and of
// a message's size) stays for those there are. An error leaves everything as it was.
func (g *Gateway) Reload(o Options) error {
	old := g.opts()
	o.Rooms, o.Log, o.Metrics = old.Rooms, old.Log, old.Metrics
	s, err := newSettings(o)
	if err != nil {
		return err
	}
	g.use(s)
	return nil
}

// use makes s the settings of this moment.
func (g *Gateway) use(s *settings) {
	g.settings.Store(s)
	g.backlog.most.Store(int64(s.OutboxTotalBytes))
}

// Run drives the connections until ctx ends. Then it cuts off those that are left (Drain
// before, to end them well), and returns when nothing of the gateway runs any more.
func (g *Gateway) Run(ctx context.Context) error {
	var own sync.WaitGroup
	stop := make(chan struct{})
	for _, l := range g.lanes {
		own.Go(func() { l.run(stop) })
	}
	own.Go(func() { g.tick(stop) })
	commands := make(chan struct{})
	var obeying sync.WaitGroup
	obeying.Go(func() { g.obey(commands) })

	<-ctx.Done()
	g.draining.Store(true)
	g.mu.Lock()
	g.stopped = true // whoever is in the door now is counted in g.active
	g.mu.Unlock()
	g.cancel() // wakes whoever waits for Redis
	close(commands)
	obeying.Wait() // it asks the lanes
	g.cutOff()
	g.active.Wait()
	close(stop)
	err := g.poller.close()
	own.Wait()
	return err
}

// tick drives the wheel. It ends when stop is closed.
func (g *Gateway) tick(stop <-chan struct{}) {
	t := time.NewTicker(wheelTick)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			g.wheel.advance(g.now(), g.visit)
		}
	}
}

// Deliver hands payload, which nobody may write to any more, to the members of room. It does
// not block. The caller keeps the order of each room's messages; for different rooms it may be called
// at the same time.
func (g *Gateway) Deliver(room string, payload []byte) {
	g.laneOf(room).post(event{kind: eventMessage, room: room, payload: payload, at: g.now()})
}

// Gap tells the members of room that messages may have been lost before now. It does not block.
func (g *Gateway) Gap(room string) {
	g.laneOf(room).post(event{kind: eventGap, room: room, reason: gapRedis})
}

// Connections returns how many connections there are.
func (g *Gateway) Connections() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// publish publishes a client's message.
func (g *Gateway) publish(room string, payload []byte) error {
	ctx, cancel := context.WithTimeout(g.ctx, g.opts().SubscribeTimeout)
	defer cancel()
	err := g.rooms.Publish(ctx, room, payload)
	if err != nil {
		g.logSampled(slog.LevelWarn, "publish_failed", "a client's message was not published", slog.String("error", err.Error()))
	}
	return err
}

// laneOf returns the lane that owns room.
func (g *Gateway) laneOf(room string) *lane {
	return g.lanes[maphash.String(g.seed, room)%uint64(len(g.lanes))]
}

// now is the gateway's clock: nanoseconds since its start, which suspended machines and set
// clocks do not turn back.
func (g *Gateway) now() int64 { return int64(time.Since(g.start)) }

// clock converts a time of day, such as a token's expiry.
// What lies beyond a century is as good as never, and must not overflow.
func (g *Gateway) clock(t time.Time) int64 {
	const century = 100 * 365 * 24 * time.Hour
	return g.now() + int64(min(time.Until(t), century))
}

// remember registers c. From here on it is drained, visited and cut off like the others.
func (g *Gateway) remember(c *conn) {
	g.mu.Lock()
	g.conns[c] = struct{}{}
	g.mu.Unlock()
	g.metrics.connections.Inc()
	g.wheel.schedule(c, g.now())
	if g.draining.Load() { // Drain may have looked before c was there
		c.bye(endDrain)
	}
	if g.ctx.Err() != nil { // and so may Run, at its end
		c.kill()
	}
}

// forget undoes remember.
func (g *Gateway) forget(c *conn) {
	g.release(c.client)
	g.metrics.connections.Dec()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	if len(g.conns) == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// list returns the connections of this moment, as the map has them.
func (g *Gateway) list() []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		list = append(list, c)
	}
	return list
}

// all is list in an order that tells nothing.
func (g *Gateway) all() []*conn {
	list := g.list()
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// whenEmpty returns a channel that is closed when there is no connection.
func (g *Gateway) whenEmpty() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.conns) == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	return g.empty
}
