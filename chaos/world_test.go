//go:build linux

package chaos

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
)

// patience is for whatever has to happen: backoff alone may take 30 s.
var patience = pick(time.Minute, 2*time.Minute)

const (
	settled    = 20          // messages that each client gets before the fault, and after it
	queuedTime = time.Second // from Redis to a client that has nothing to wait for
)

// A setup is what a case runs with.
type setup struct {
	name     string
	clients  int
	rooms    int
	rate     int // messages a second, in each room
	ramp     int // clients that are started a second; 0: as fast as they connect
	replicas int
	pads     map[int]int     // by room: bytes that its messages are longer
	churn    uint64          // seed of what clients do by themselves; 0: they stay where they are
	url      string          // of Redis, for the gateways
	front    front           // nil: a balancer
	targets  []func() target // for each publisher: where it publishes
	env      []string        // settings of the gateways
	mayEnd   []int           // close codes that clients may get, between the fault's beginning and recovery
	gaps     int             // that a client may have for one room, then; 0: Redis is well
	within   time.Duration   // recovery of roomgate.v1, at most; 0: withinMost
	backIn   time.Duration   // recovery of all, at most; 0: within and backMost
	spawn    func(*spawn)    // changes how a replica is started; nil: nothing
}

// A front is what clients connect to, and replicas are behind.
type front interface {
	addr() string
	secure() *tls.Config // of a client; nil: it is without TLS
	add(r *replica)      // which is ready; when it returns clients are sent there, too
}

// A world is replicas behind a front, clients that are connected, and publishers that publish.
type world struct {
	t         *testing.T
	s         setup
	token     string
	well      bool // the fault is not Redis's
	ledger    *ledger
	latencies latencies
	front     front
	returns   returns
	replicas  []*replica // those in the front's round, and those that have ended
	clients   []*client
	calm      atomic.Bool // clients stop to do things by themselves

	publishers    []*publisher
	stopPublished func()          // ends them, and waits
	stopClients   func()          // ends them, and waits
	lifetime      context.Context // of clients
	lives         sync.WaitGroup  // of clients

	struck, over           time.Time // when the fault began, and when all had recovered from it
	before                 counts    // when it began
	recoveredV1, recovered float64   // seconds; negative: there was no fault yet
}

// newWorld starts all of it, and waits until each client has had some messages.
func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	token, err := auth.Sign([]byte(secret), map[string]any{"sub": "chaos", "rooms": []string{"r*"}, "exp": time.Now().Add(24 * time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, s: s, token: token, well: s.gaps == 0, ledger: newLedger(s.rooms), recoveredV1: -1, recovered: -1}
	if w.front = s.front; w.front == nil {
		w.front = startBalancer(t)
	}
	for range s.replicas {
		w.addReplica()
	}
	w.connect()
	w.publish()
	w.latencies.phase.Store(phaseQuiet)
	w.awaitMore(settled)
	w.latencies.phase.Store(phaseOther)
	progress(t, "%d clients, %d messages published before the fault", s.clients, w.ledger.published())
	return w
}

// addReplica starts one more and puts it into the round.
func (w *world) addReplica() *replica {
	w.t.Helper()
	s := spawn{name: fmt.Sprintf("replica %d", len(w.replicas)+1), env: w.settings()}
	if w.s.spawn != nil {
		w.s.spawn(&s)
	}
	r := start(w.t, s)
	w.replicas = append(w.replicas, r)
	w.front.add(r)
	return r
}

// settings are those of every replica.
func (w *world) settings() []string {
	return append([]string{"REDIS_URL=" + w.s.url, "ROOMGATE_GAP_SPREAD=1s"}, w.s.env...)
}

// living is how many replicas run.
func (w *world) living() (n int) {
	for _, r := range w.replicas {
		if r.lives() {
			n++
		}
	}
	return n
}

// connect starts the clients: every fourth in roomgate.raw.v1 and one room, the others in
// roomgate.v1 and two rooms.
func (w *world) connect() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.lifetime = ctx
	w.stopClients = sync.OnceFunc(func() { cancel(); w.lives.Wait() })
	w.t.Cleanup(w.stopClients)
	for i := range w.s.clients {
		rooms := []int{i % w.s.rooms}
		if second := (i + w.s.rooms/2) % w.s.rooms; i%4 != 0 && second != rooms[0] {
			rooms = append(rooms, second)
		}
		c := w.enter(w.front.addr(), rooms...)
		if w.s.ramp > 0 {
			time.Sleep(time.Second / time.Duration(w.s.ramp)) // its own pace
		} else if i%64 == 63 { // as many at a time: more would only fill the queue of the listener
			await(w.t, patience, "clients are connected", func() bool { return c.online.Load() })
		}
	}
	await(w.t, patience, "all clients are connected", w.online)
}

// enter starts the next client, which connects to addr.
func (w *world) enter(addr string, rooms ...int) *client {
	i := len(w.clients)
	c := &client{w: w, addr: addr, raw: i%4 == 0, ends: make(map[int]int), refused: make(map[int]int)}
	for at, room := range rooms {
		k := newTrack(room, c.raw)
		k.main = at == 0 || w.s.churn == 0
		c.tracks = append(c.tracks, k)
	}
	if w.s.churn != 0 {
		c.tosses = &churn{rand: rand.New(rand.NewPCG(w.s.churn, uint64(i)))}
	}
	w.clients = append(w.clients, c)
	w.lives.Go(func() { c.live(w.lifetime) })
	return c
}

// online reports whether every client is in its rooms.
func (w *world) online() bool {
	return !slices.ContainsFunc(w.clients, func(c *client) bool { return !c.online.Load() })
}

// publish starts the publishers, of which each has the rooms that are left over by the others.
func (w *world) publish() {
	ctx, cancel := context.WithCancel(context.Background())
	var publishing sync.WaitGroup
	w.stopPublished = sync.OnceFunc(func() { cancel(); publishing.Wait() })
	for i, target := range w.s.targets {
		p := &publisher{w: w, target: target(), pad: w.s.pads}
		for room := i; room < w.s.rooms; room += len(w.s.targets) {
			p.rooms = append(p.rooms, room)
		}
		w.publishers = append(w.publishers, p)
		publishing.Go(func() { p.run(ctx, time.Second/time.Duration(w.s.rate*len(p.rooms))) })
	}
	w.t.Cleanup(func() {
		w.stopPublished()
		for _, p := range w.publishers {
			p.target.close()
		}
	})
}
