//go:build linux

package chaos

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A flapper is a TCP relay between the gateways and what is upstream, which copies both ways and, while
// it flaps, resets each connection (RST) at a certain age: so that there is a time in which messages
// come through, and the gateway believes that all is well. Toxiproxy's reset_peer lets none through.
type flapper struct {
	l        net.Listener
	upstream string
	wg       sync.WaitGroup // all that it runs; over when finish returns

	mu    sync.Mutex // guards what follows
	age   time.Duration
	pairs map[*pair]struct{} // that are open
	over  bool
}

// A pair is a connection of a gateway and its continuation.
type pair struct {
	near, far *net.TCPConn
	death     *time.Timer // nil: it lives on
}

func startFlapper(t testing.TB, upstream string) *flapper {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flapper{l: l, upstream: upstream, pairs: make(map[*pair]struct{})}
	f.wg.Go(f.accept) // ends in finish
	t.Cleanup(f.finish)
	return f
}

// flap resets from now on each connection at that age, and those there are after that time; 0: none.
func (f *flapper) flap(age time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.age = age
	for p := range f.pairs {
		f.doom(p)
	}
}

// doom sets the time of a pair's end. mu is held.
func (f *flapper) doom(p *pair) {
	if p.death != nil {
		p.death.Stop()
		p.death = nil
	}
	if f.age > 0 {
		p.death = time.AfterFunc(f.age, p.reset)
	}
}

func (p *pair) reset() {
	_ = p.near.SetLinger(0) // Close then sends RST; it may be closed already
	_ = p.far.SetLinger(0)
	p.close()
}

func (p *pair) close() {
	_, _ = p.near.Close(), p.far.Close() // they may be closed already
}

func (f *flapper) accept() {
	for {
		near, err := f.l.Accept()
		if err != nil {
			return // finish has closed it
		}
		f.wg.Go(func() { f.serve(near.(*net.TCPConn)) })
	}
}

// serve relays one connection until either side ends, or it is reset.
func (f *flapper) serve(near *net.TCPConn) {
	far, err := net.DialTimeout("tcp", f.upstream, time.Second)
	if err != nil {
		_ = near.Close() // as the gateway would see of who is not there
		return
	}
	p := &pair{near: near, far: far.(*net.TCPConn)}
	defer f.forget(p)
	if !f.remember(p) {
		return
	}
	f.wg.Go(func() {
		relay(p.far, p.near, nil)
		p.close() // which ends the other direction
	})
	relay(p.near, p.far, nil)
}

func (f *flapper) remember(p *pair) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pairs[p] = struct{}{}
	f.doom(p)
	return !f.over
}

func (f *flapper) forget(p *pair) {
	p.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.death != nil {
		p.death.Stop()
	}
	delete(f.pairs, p)
}

// finish closes everything and waits.
func (f *flapper) finish() {
	f.l.Close()
	f.mu.Lock()
	f.over = true
	for p := range f.pairs {
		p.close()
	}
	f.mu.Unlock()
	f.wg.Wait()
}
