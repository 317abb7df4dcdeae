package pubsub

import (
	"io"
	"net"
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
