package pubsub

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// A forwarder is an address that leads to a server, as a virtual one does: connections that there are stay where
// they are when it moves.
type forwarder struct {
	net.Listener
	to    atomic.Pointer[string]
	conns sync.WaitGroup
}

func forward(t *testing.T, to string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Listener: l}
	f.to.Store(&to)
	f.conns.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			f.conns.Go(func() { f.carry(in) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.conns.Wait() // every connection ends with its Broker
	})
	return f
}

func (f *forwarder) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", *f.to.Load())
	if err != nil {
		return
	}
	defer out.Close()
	f.conns.Go(func() {
		_, _ = io.Copy(out, in)
		out.Close()
		in.Close()
	})
	_, _ = io.Copy(in, out)
}

// The old server lives on, and what is connected to it stays: neither end of the link notices.
func TestAnAddressThatMovedToAnotherServerIsFollowed(t *testing.T) {
	t.Parallel()
	before, after := redistest.Start(t), redistest.Start(t)
	f := forward(t, before.Addr())
	o := fastAt("redis://" + f.Addr().String())
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	publishSoon(t, b, r, "a", "before")
	to := after.Addr()
	f.to.Store(&to)
	eventually(t, "silence", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "canary") > 0 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	backendSays(t, after.Client(), r, "a", "by a backend")
	publishSoon(t, b, r, "a", "by a client")
}

// The slot of its canary is elsewhere, so the old connection proves nothing, though it works.
func TestCanariesGoToTheServerThatANameMeansNow(t *testing.T) {
	t.Parallel()
	before, others := redistest.StartCluster(t, 1, 0).Nodes()[0], redistest.StartCluster(t, 3, 0)
	canary := canaryPrefix + "of a test"
	after := others.Nodes()[0]
	if after == others.MasterOf(canary) {
		after = others.Nodes()[1]
	}
	f := forward(t, before.Addr())
	o := shardedOptions(others)
	o.CanaryInterval, o.CanaryTimeout = calm/2, calm
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.closeClients()
	p := newProber(b.access, func() *redis.Client { return b.access.clientOf(server{addr: f.Addr().String()}) })
	p.send = func(ctx context.Context, c *redis.Client, channel, payload string) error {
		return c.SPublish(ctx, channel, payload).Err()
	}
	defer p.close()
	l := &link{b: b, canaries: p, silence: time.AfterFunc(time.Hour, func() {})}
	l.canary.Store(&canary)
	if err := l.sendCanary(t.Context()); err != nil {
		t.Fatal(err)
	}
	to := after.Addr()
	f.to.Store(&to)
	p.since = time.Now().Add(-time.Hour) // it is time for a new connection
	l.silence.Stop()
	for range 2 {
		if err := l.sendCanary(t.Context()); !isMoved(err) {
			t.Errorf("a canary after the name moved: %v, want MOVED", err)
		}
	}
	if l.silence.Stop() {
		t.Error("MOVED breaks the silence of the link")
	}
}

// The timer may fire just as the link ends.
func TestTheSilenceOfALinkThatEndedIsNotAwaitedAgain(t *testing.T) {
	p := deafAtLast(t)
	p.self = time.Now()
	l := &link{b: &Broker{}, canaries: p.bus, silence: time.AfterFunc(time.Hour, func() {})}
	l.silence.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	l.silent(ctx)
	if !l.silence.Stop() {
		t.Fatal("a link that stays does not wait for the next silence")
	}
	cancel()
	l.silent(ctx)
	if l.silence.Stop() {
		t.Error("a link that is over waits for its next silence")
	}
}

// A prober that can make no new connection goes on over the old one.
func TestCanariesGoOnWhenNoNewConnectionCanBeHad(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	o := asGate(s)
	o.CanaryTimeout = calm
	reg := secrecy.Registry(t)
	var text logged
	o.Metrics, o.Log = reg, newTextLog(t, &text)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	secrecy.Secret("another-passw0rd")
	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "resetpass", ">another-passw0rd").Err(); err != nil {
		t.Fatal(err)
	}
	wantCanariesOverOldConnections(t, b, r, reg, &text)
}

// announce has a node of a Cluster say that it is at the address of f.
func (f *forwarder) announce(t *testing.T, s *redistest.Server) {
	t.Helper()
	_, port, _ := net.SplitHostPort(f.Addr().String())
	if err := s.Client().ConfigSet(t.Context(), "cluster-announce-port", port).Err(); err != nil {
		t.Fatal(err)
	}
}

// A node comes to life again elsewhere, under its name, and the old process lives on.
func TestAnAddressOfAShardedClusterThatMovedIsFollowed(t *testing.T) {
	t.Parallel()
	before, others := redistest.StartCluster(t, 1, 0).Nodes()[0], redistest.StartCluster(t, 3, 0)
	after := others.MasterOf(prefix + "a")
	f := forward(t, before.Addr())
	f.announce(t, before)
	f.announce(t, after)
	eventually(t, "an address that all know", func() bool {
		return !slices.ContainsFunc(others.Nodes(), func(s *redistest.Server) bool {
			ranges, err := s.Client().ClusterSlots(t.Context()).Result() //nolint:staticcheck // as the survey does
			return err != nil || !slices.Contains(newSlotTable(s.Addr(), ranges).masters, f.Addr().String())
		})
	})
	o := fastAt("redis+cluster://" + f.Addr().String())
	o.Sharded = true
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	publishSoon(t, b, r, "a", "before")
	to := after.Addr()
	f.to.Store(&to)
	eventually(t, "silence", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "canary") > 0 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	eventually(t, "the slot table of the new one", func() bool { all, _ := b.shards.masters(time.Now()); return all == 3 })
	sayUntilHeard(t, r, "a", "by a backend", func() error { return after.Client().SPublish(t.Context(), prefix+"a", "by a backend").Err() })
	for i := range 20 { // what is accepted arrives
		m := fmt.Sprint("by a client ", i)
		if b.Publish(t.Context(), "a", []byte(m)) == nil {
			eventually(t, m, func() bool { return slices.Contains(r.got("a"), m) })
		}
	}
}

// wantCanariesOverOldConnections waits until a renewal has failed, which the log says, and wants canaries all the same, and no gap.
func wantCanariesOverOldConnections(t *testing.T, b *Broker, r *recorder, reg *prometheus.Registry, text *logged) {
	t.Helper()
	eventually(t, "a renewal that fails", func() bool { return strings.Contains(text.String(), "over a new connection: ") })
	trips := count(t, reg, "roomgate_redis_round_trip_seconds", "")
	eventually(t, "canaries all the same", func() bool { return count(t, reg, "roomgate_redis_round_trip_seconds", "") > trips+5 })
	if err := b.Ready(); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v, want none", got)
	}
}
