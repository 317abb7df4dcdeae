//go:build linux

package chaos

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	probeEvery = 100 * time.Millisecond // between two looks at /readyz
	probeTime  = time.Second            // for the answer
)

// A balancer is a TCP load balancer: each connection goes to the next of the replicas that said at
// /readyz that they are ready when they were last asked. If there is none, it closes it.
type balancer struct {
	t      testing.TB
	l      net.Listener
	cancel context.CancelFunc
	wg     sync.WaitGroup // all that it runs; over when finish returns

	mu       sync.Mutex // guards what follows
	backends []*backend
	turn     int
	conns    map[net.Conn]struct{} // open ones, both sides
	closed   bool
}

type backend struct {
	*replica
	ready    bool
	upgrades []upgrade // that it answered with 101
}

func startBalancer(t testing.TB) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &balancer{t: t, l: l, cancel: cancel, conns: make(map[net.Conn]struct{})}
	b.wg.Go(func() { b.probe(ctx) }) // both end in finish
	b.wg.Go(b.accept)
	t.Cleanup(b.finish)
	return b
}

func (b *balancer) addr() string { return b.l.Addr().String() }

func (b *balancer) secure() *tls.Config { return nil }

// add puts a replica, which is ready, into the round.
func (b *balancer) add(r *replica) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = append(b.backends, &backend{replica: r, ready: true})
}

// probe asks every replica that lives whether it is ready.
func (b *balancer) probe(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b.mu.Lock()
		all := append([]*backend(nil), b.backends...)
		b.mu.Unlock()
		for _, each := range all {
			status := 0
			if each.lives() {
				status, _ = each.getWithin(probeTime, "/readyz")
			}
			b.mu.Lock()
			each.ready = status == http.StatusOK
			b.mu.Unlock()
		}
	}
}

func (b *balancer) accept() {
	for {
		client, err := b.l.Accept()
		if err != nil {
			return // finish has closed it
		}
		b.wg.Go(func() { b.serve(client) })
	}
}

// serve connects a client to a replica, until either ends.
func (b *balancer) serve(client net.Conn) {
	defer b.forget(client)
	if !b.remember(client) {
		return
	}
	began := time.Now()
	server, to := b.dial()
	if server == nil {
		return
	}
	defer b.forget(server)
	if !b.remember(server) {
		return
	}
	b.wg.Go(func() {
		relay(server, client, nil)
		b.forget(server) // which ends the other direction
	})
	relay(client, server, func(first []byte) {
		if bytes.HasPrefix(first, []byte("HTTP/1.1 101")) {
			b.mu.Lock()
			to.upgrades = append(to.upgrades, upgrade{began, time.Now()})
			b.mu.Unlock()
		}
	})
}

// dial connects to the next replica that is ready and takes the connection; nil: there is none.
func (b *balancer) dial() (net.Conn, *backend) {
	b.mu.Lock()
	all := append([]*backend(nil), b.backends...)
	b.turn++
	turn := b.turn
	b.mu.Unlock()
	for i := range all {
		each := all[(turn+i)%len(all)]
		b.mu.Lock()
		ready := each.ready
		b.mu.Unlock()
		if !ready {
			continue
		}
		if nc, err := net.DialTimeout("tcp", each.addr, time.Second); err == nil {
			return nc, each
		}
	}
	return nil, nil
}

func (b *balancer) remember(nc net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conns[nc] = struct{}{}
	return !b.closed
}

func (b *balancer) forget(nc net.Conn) {
	nc.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, nc)
}

// An upgrade was let in at some time from began to seen. On a busy machine that may be long before it is seen, so that many
// are seen at a time which were let in one after the other.
type upgrade struct{ began, seen time.Time }

// peak is the most connections that any replica has certainly let in within one second.
func (b *balancer) peak() (most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, each := range b.backends {
		most = max(most, peak(each.upgrades))
	}
	return most
}

// peak is the most of upgrades that began and were seen within one second.
func peak(upgrades []upgrade) (most int) {
	slices.SortFunc(upgrades, func(a, b upgrade) int { return a.began.Compare(b.began) })
	for i, first := range upgrades {
		n, end := 0, first.began.Add(time.Second)
		for _, u := range upgrades[i:] {
			if !u.began.Before(end) {
				break
			}
			if u.seen.Before(end) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// forgetPeak begins the count of peak anew.
func (b *balancer) forgetPeak() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, each := range b.backends {
		each.upgrades = nil
	}
}

// finish closes everything and waits.
func (b *balancer) finish() {
	b.cancel()
	b.l.Close()
	b.mu.Lock()
	b.closed = true
	for nc := range b.conns {
		nc.Close()
	}
	b.mu.Unlock()
	b.wg.Wait()
}
