package gateway

import (
	"net/netip"
	"sync"
)

// addresses counts by peer address: connections open now, handshakes and refused tokens of
// late. Of the latter it keeps a bounded number: an attack from more addresses than that
// makes it forget the oldest, never grow.
type addresses struct {
	mu     sync.Mutex // guards what follows
	open   map[netip.Addr]int
	recent map[netip.Addr]*addressPaces
	older  map[netip.Addr]*addressPaces
}

// addressPaces are the rates of one address.
type addressPaces struct{ handshakes, failures pace }

// addressesMost is how many addresses each of the two generations has: about 10 MB in all.
const addressesMost = 1 << 16

// enter counts one more connection of addr, and returns how many it has then.
func (a *addresses) enter(addr netip.Addr) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open == nil {
		a.open = make(map[netip.Addr]int)
	}
	a.open[addr]++
	return a.open[addr]
}

// leave undoes enter.
func (a *addresses) leave(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[addr]--; a.open[addr] <= 0 {
		delete(a.open, addr)
	}
}

// handshake counts a handshake, and reports whether it is within l.
func (a *addresses) handshake(addr netip.Addr, l paceLimit, now int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return l.interval == 0 || a.paces(addr).handshakes.allow(l, now)
}

// failed counts a token that was refused.
func (a *addresses) failed(addr netip.Addr, l paceLimit, now int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.interval != 0 {
		a.paces(addr).failures.allow(l, now)
	}
}

// exhausted reports whether addr has had as many tokens refused as l allows. It remembers
// nobody who has had none.
func (a *addresses) exhausted(addr netip.Addr, l paceLimit, now int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.recent[addr]
	if p == nil {
		p = a.older[addr]
	}
	if p == nil {
		return false
	}
	probe := p.failures
	return !probe.allow(l, now)
}

// paces returns the rates of addr, as one of the recent. a.mu is held.
func (a *addresses) paces(addr netip.Addr) *addressPaces {
	if p := a.recent[addr]; p != nil {
		return p
	}
	p := a.older[addr]
	if p == nil {
		p = &addressPaces{}
	}
	if a.recent == nil || len(a.recent) >= addressesMost {
		a.recent, a.older = make(map[netip.Addr]*addressPaces), a.recent
	}
	a.recent[addr] = p
	return p
}

// users counts connections by the sub of their token.
type users struct {
	mu   sync.Mutex // guards what follows
	open map[string]int
}

// enter counts one more connection of sub, and returns how many it has then.
func (u *users) enter(sub string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open == nil {
		u.open = make(map[string]int)
	}
	u.open[sub]++
	return u.open[sub]
}

// leave undoes enter.
func (u *users) leave(sub string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open[sub]--; u.open[sub] <= 0 {
		delete(u.open, sub)
	}
}

// now is how many connections of sub there are.
func (u *users) now(sub string) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.open[sub]
}
