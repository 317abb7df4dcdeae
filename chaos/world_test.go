//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
)

const (
	patience = 2 * time.Minute // for whatever has to happen: backoff alone may take 30 s
	settled  = 20              // messages that each client gets before the fault, and after it
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
	targets  []func() target // for each publisher: where it publishes
	env      []string        // settings of the gateways
	mayEnd   []int           // close codes that clients may get
	spawn    func(*spawn)    // changes how a replica is started; nil: nothing
}

// A world is replicas behind a balancer, clients that are connected, and publishers that publish.
type world struct {
	t         *testing.T
	s         setup
	token     string
	ledger    *ledger
	latencies latencies
	balancer  *balancer
	replicas  []*replica // those in the balancer's round, and those that have ended
	clients   []*client
	calm      atomic.Bool // clients stop to do things by themselves

	publishers    []*publisher
	stopPublished func() // ends them, and waits
	stopClients   func() // ends them, and waits

	recoveredV1, recovered float64 // seconds; negative: there was no fault yet
}

// newWorld starts all of it, and waits until each client has had some messages.
func newWorld(t *testing.T, s setup) *world {
	t.Helper()
	token, err := auth.Sign([]byte(secret), map[string]any{"sub": "chaos", "rooms": []string{"r*"}, "exp": time.Now().Add(24 * time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, s: s, token: token, ledger: newLedger(s.rooms), recoveredV1: -1, recovered: -1}
	w.balancer = startBalancer(t)
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
	s := spawn{name: fmt.Sprintf("replica %d", len(w.replicas)+1), env: append([]string{"REDIS_URL=" + w.s.url, "ROOMGATE_GAP_SPREAD=1s"}, w.s.env...)}
	if w.s.spawn != nil {
		w.s.spawn(&s)
	}
	r := start(w.t, s)
	w.replicas = append(w.replicas, r)
	w.balancer.add(r)
	return r
}

// connect starts the clients: every fourth in roomgate.raw.v1 and one room, the others in
// roomgate.v1 and two rooms.
func (w *world) connect() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var living sync.WaitGroup
	w.stopClients = sync.OnceFunc(func() { cancel(); living.Wait() })
	w.t.Cleanup(w.stopClients)
	for i := range w.s.clients {
		c := &client{w: w, raw: i%4 == 0, ends: make(map[int]int), refused: make(map[int]int)}
		c.tracks = []*track{newTrack(i%w.s.rooms, c.raw)}
		c.tracks[0].main = true
		if second := (i + w.s.rooms/2) % w.s.rooms; !c.raw && second != i%w.s.rooms {
			c.tracks = append(c.tracks, newTrack(second, false))
			c.tracks[1].main = w.s.churn == 0
		}
		if w.s.churn != 0 {
			c.tosses = &churn{rand: rand.New(rand.NewPCG(w.s.churn, uint64(i)))}
		}
		w.clients = append(w.clients, c)
		living.Go(func() { c.live(ctx) })
		if w.s.ramp > 0 {
			time.Sleep(time.Second / time.Duration(w.s.ramp)) // its own pace
		} else if i%64 == 63 { // as many at a time: more would only fill the queue of the listener
			await(w.t, patience, "clients are connected", func() bool { return c.online.Load() })
		}
	}
	await(w.t, patience, "all clients are connected", w.online)
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

// marks are the numbers that the rooms' next messages will have.
func (w *world) marks() []int {
	marks := make([]int, w.s.rooms)
	for room := range marks {
		marks[room] = w.ledger.next(room)
	}
	return marks
}

// behind counts the clients that have had nothing yet from what marks say on, in one of their rooms.
func (w *world) behind(marks []int, formats ...bool) (n int) {
	for _, c := range w.clients {
		if slices.Contains(formats, c.raw) && slices.ContainsFunc(c.tracks, func(k *track) bool { return k.before(marks[k.room]) }) {
			n++
		}
	}
	return n
}

// awaitMore waits until each client has a message of each of its rooms that is n later than the last of now.
func (w *world) awaitMore(n int) {
	w.t.Helper()
	marks := w.marks()
	for room := range marks {
		marks[room] += n
	}
	await(w.t, patience, "messages", func() bool { return w.behind(marks, false, true) == 0 })
}

// strike does what a case is about, from the fault's beginning to its end, and measures how long
// after its end each client has a message that was published later.
func (w *world) strike(what func()) {
	w.t.Helper()
	w.latencies.phase.Store(phaseFault)
	what()
	ended, marks := time.Now(), w.marks()
	progress(w.t, "the fault is over")
	w.awaitOr("clients of roomgate.v1 have a new message", func() bool { return w.behind(marks, false) == 0 })
	w.recoveredV1 = max(w.recoveredV1, time.Since(ended).Seconds())
	w.awaitOr("all clients have a new message", func() bool { return w.behind(marks, false, true) == 0 })
	w.awaitAnnounced()
	w.awaitOr("all clients are connected", w.online)
	w.recovered = max(w.recovered, time.Since(ended).Seconds())
	w.latencies.phase.Store(phaseOther)
	progress(w.t, "recovered after %.1f s", w.recovered)
}

// awaitOr is await that fails the test without ending it: the judge says more.
func (w *world) awaitOr(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Errorf("waited %v in vain: %s", patience, what)
			return
		}
	}
}
