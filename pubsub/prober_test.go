package pubsub

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	eventually(t, "silence", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "canary") == 1 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] == 1 })
	backendSays(t, after.Client(), r, "a", "by a backend")
	publishSoon(t, b, r, "a", "by a client")
}

// A prober that can make no new connection goes on over the old one, and says so.
func TestCanariesGoOnWhenNoNewConnectionCanBeHad(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	b, r := run(t, asGate(s))
	subscribe(t, b, "a")
	ready(t, b)
	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "resetpass", ">another-passw0rd").Err(); err != nil {
		t.Fatal(err)
	}
	secrecy.Secret("another-passw0rd")
	end := time.Now().Add(3 * renewAfter * b.o.canaryInterval())
	eventually(t, "three renewals", func() bool {
		if err := b.Ready(); err != nil {
			t.Fatalf("turned unready: %v", err)
		}
		return time.Now().After(end)
	})
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v, want none", got)
	}
}
