package pubsub

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

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

// A prober that can make no new connection goes on over the old one.
func TestCanariesGoOnWhenNoNewConnectionCanBeHad(t *testing.T) {
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
	before, after := redistest.StartCluster(t, 1, 0).Nodes()[0], redistest.StartCluster(t, 1, 0).Nodes()[0]
	f := forward(t, before.Addr())
	f.announce(t, before)
	f.announce(t, after)
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
	sayUntilHeard(t, r, "a", "by a backend", func() error { return after.Client().SPublish(t.Context(), prefix+"a", "by a backend").Err() })
	for i := range 20 { // what is accepted arrives
		m := fmt.Sprint("by a client ", i)
		if b.Publish(t.Context(), "a", []byte(m)) == nil {
			eventually(t, m, func() bool { return slices.Contains(r.got("a"), m) })
		}
	}
}
