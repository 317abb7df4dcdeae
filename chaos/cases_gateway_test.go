//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/redistest"
)

// startGateways starts a world of n replicas on one Redis, which nothing happens to.
func startGateways(t *testing.T, s setup, n int) *world {
	t.Helper()
	server := redistest.Start(t)
	if s.clients == 0 {
		s.clients, s.rooms, s.rate = pick(100, 400), pick(10, 40), 10
	}
	s.replicas, s.url, s.targets = n, server.URL(), targets(server, 2)
	return newWorld(t, s)
}

// Each replica in turn gets SIGTERM, drains, and is replaced by a new process. No replica is given
// more new connections a second than limits.connects_per_second says, and a tenth of them at once. The limit is below what
// the last drain alone would bring.
func TestChaosRollingRestart(t *testing.T) {
	clients, period, pace := pick(600, 6000), pick(4*time.Second, 30*time.Second), pick(40, 50)
	needFiles(t, clients)
	w := startGateways(t, setup{name: "rolling restart of 3 replicas", clients: clients, rooms: pick(60, 600), rate: pick(5, 1),
		ramp: pick(80, 100), mayEnd: []int{codeDraining}, within: time.Minute, backIn: 90 * time.Second, // those held back come in turn
		env: []string{"ROOMGATE_DRAIN_DELAY=1s", "ROOMGATE_DRAIN_PERIOD=" + period.String(), fmt.Sprintf("ROOMGATE_LIMITS_CONNECTS_PER_SECOND=%d", pace)}}, 3)
	balancer := w.front.(*balancer)
	balancer.forgetPeak()
	w.strike(func() {
		for i := range 3 {
			w.replicas[i].terminate()
			w.addReplica()
			progress(t, "replica %d is replaced", i+1)
		}
	})
	held := 0.0
	for _, r := range w.replicas[3:] {
		held += r.metric("roomgate_limits_exceeded_total", `limit="connects_per_second"`)
	}
	w.finish()
	peak := balancer.peak()
	for i, c := range w.clients {
		if c.ends[codeDraining] == 0 {
			t.Errorf("client %d was never drained, and every replica was replaced", i)
		}
	}
	t.Logf("a replica upgraded %d connections within a second at most; limits.connects_per_second is %d, and held back %v", peak, pace, held)
	if most := pace + pace/10; peak > most {
		t.Errorf("a replica upgraded %d connections within a second, want %d at most", peak, most)
	}
	if held == 0 {
		t.Error("nobody was held back: limits.connects_per_second was never reached")
	}
}

// needFiles fails the test if the limit of open files is too low for n clients: each takes three, with
// the balancer's two.
func needFiles(t *testing.T, n int) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	const others = 1000
	if need := uint64(3*n + others); limit.Cur < need {
		t.Fatalf("the limit of open files is %d, and %d clients need %d: raise it (ulimit -n %d)", limit.Cur, n, need, need)
	}
}

func TestChaosReplicaKilled(t *testing.T) {
	parallel(t)
	w := startGateways(t, setup{name: "one of 3 replicas killed (SIGKILL)", mayEnd: []int{codeNone}}, 3)
	held := int(w.replicas[0].metric("roomgate_connections", ""))
	w.strike(func() {
		w.replicas[0].kill()
		w.addReplica()
	})
	for _, r := range w.replicas[1:] { // those of the killed one have a broken connection; the others keep theirs
		if n := r.metric("roomgate_connections_ended_total", ""); n > 0 {
			t.Errorf("%s has ended %v connections, and another was killed", r.name, n)
		}
	}
	w.finish()
	broken := 0
	for _, c := range w.clients {
		broken += c.ends[codeNone]
	}
	if broken != held || held == 0 {
		t.Errorf("%d connections broke, want the %d of the replica that was killed", broken, held)
	}
}

// A replica that has fewer open files than there are clients refuses those beyond, stays ready, as
// the README says of a full node, and serves those it has.
func TestChaosReplicaOutOfFiles(t *testing.T) {
	parallel(t)
	w := startGateways(t, setup{name: "a replica that is full (ulimit -n 512)", clients: 100, rooms: 10, rate: 10,
		spawn: func(s *spawn) { s.files = 512; s.env = append(s.env, "GOMAXPROCS=2") }}, 1) // files are kept free for each CPU
	r := w.replicas[0]
	w.strike(func() {
		got, wires := 0, make([]*wire, 0, 400)
		defer func() {
			for _, c := range wires {
				c.close()
			}
		}()
		for range 400 {
			c, status := tryDial(t, w)
			if c != nil {
				wires = append(wires, c)
			}
			if status == http.StatusServiceUnavailable {
				got++
			}
		}
		t.Logf("of 400 clients more %d were let in, %d refused with 503", len(wires), got)
		if len(wires)+got != 400 || got == 0 {
			t.Errorf("of 400 clients more %d were let in, %d refused with 503; the others were neither", len(wires), got)
		}
		if status, body := r.get("/readyz"); status != http.StatusOK {
			t.Errorf("/readyz of a full replica is %d %s, want 200", status, body)
		}
		w.awaitMore(settled)
	})
	w.finish()
}

// tryDial connects a client that is not counted; status is that of a refusal, 0 if there was none.
func tryDial(t *testing.T, w *world) (c *wire, status int) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	c, err := dialWire(ctx, w.front.addr(), w.front.secure(), "room=r0", formatRaw, w.token)
	if r, ok := errors.AsType[*refused](err); ok {
		if r.after <= 0 {
			t.Errorf("refused with %d without Retry-After", r.status)
		}
		return nil, r.status
	}
	return c, 0
}

// A replica whose limit of open files sinks below what it has open cannot accept anybody, nor Redis
// again, until it rises. Those that it has go on.
func TestChaosReplicaCannotAccept(t *testing.T) {
	parallel(t)
	w := startGateways(t, setup{name: "a replica that gets EMFILE (prlimit)"}, 1)
	r := w.replicas[0]
	w.strike(func() {
		few, before := unix.Rlimit{Cur: 20, Max: 0}, unix.Rlimit{}
		if err := unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
			t.Fatal(err)
		}
		few.Max = before.Max
		if err := unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if c, err := dialWire(ctx, r.addr, nil, "room=r0", formatRaw, w.token); err == nil {
			c.close()
			t.Error("a client was let in, with no descriptor left for it")
		}
		w.awaitMore(settled)
		if err := unix.Prlimit(r.cmd.Process.Pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
			t.Fatal(err)
		}
		await(t, patience, "a new client is let in again", func() bool {
			c, _ := tryDial(t, w)
			if c != nil {
				c.close()
			}
			return c != nil
		})
	})
	w.finish()
}
