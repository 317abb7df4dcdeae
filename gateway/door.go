package gateway

import (
	"log/slog"
	"net/http"
)

// ServeHTTP takes a WebSocket request through the door: is there room for it; is it well
// formed; may its page connect; who is it; what may it join. Only then is it upgraded. The
// handler returns once the connection has begun, so that what net/http keeps for a request is freed.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := client{addr: g.Addr(r), origin: clip(r.Header.Get("Origin")), start: g.now()}
	refused := g.admit(who)
	if refused == nil {
		refused = g.accept(w, r, who)
	}
	if refused != nil {
		g.metrics.connect(refused.result)
		refused.write(w)
	}
}

// admit takes a place for a request, if there is one: what follows costs more than this.
// accept, or the end of the connection, gives it back.
func (g *Gateway) admit(who client) *httpRefusal {
	if g.draining.Load() {
		return unavailable("draining", "draining: reconnect to another node")
	}
	s, at := g.opts(), site(who.addr)
	handshakes := perMinute(perAddress(s.HandshakesPerAddress, defaultHandshakes, at))
	if !g.addresses.handshake(at, handshakes, who.start) && g.exceeded(limitHandshakes, who.addr) {
		return tooMany(limitHandshakes, "too many connection attempts from this address")
	}
	if g.addresses.exhausted(at, s.failures(at), who.start) && g.exceeded(limitFailures, who.addr) {
		return tooMany(limitFailures, "too many refused tokens from this address")
	}
	if n := g.admitted.Add(1); s.Connections > 0 && n > int64(s.Connections) {
		g.admitted.Add(-1)
		g.exceeded(limitConnections, who.addr)
		return unavailable("full", "this node is full: try another, or later")
	}
	n, most := g.addresses.enter(at), perAddress(s.ConnectionsPerAddress, defaultPerAddress, at)
	if most > 0 && n > most && g.exceeded(limitPerAddress, who.addr) {
		g.release(who)
		return tooMany(limitPerAddress, "too many connections from this address")
	}
	return nil
}

// release gives a place back.
func (g *Gateway) release(who client) {
	g.addresses.leave(site(who.addr))
	g.admitted.Add(-1)
}

// accept examines a request and upgrades it, or says why not. If the upgrade itself fails,
// net/http has answered.
func (g *Gateway) accept(w http.ResponseWriter, r *http.Request, who client) *httpRefusal {
	taken := false // the place is the connection's
	defer func() { // also if a verifier panics
		if !taken {
			g.release(who)
		}
	}()
	offer, refused := g.examine(w, r, who)
	if refused != nil {
		return refused
	}
	if !g.begin() {
		return unavailable("draining", "draining: reconnect to another node")
	}
	defer g.active.Done()
	c, err := g.upgrade(w, r, offer, who)
	if err != nil {
		g.metrics.connect("failed")
		g.log.LogAttrs(r.Context(), slog.LevelDebug, "upgrade", slog.Any("addr", who.addr), slog.String("error", err.Error()))
		return nil
	}
	taken = true
	g.metrics.connect(offer.result())
	c.open(offer)
	return nil
}

// begin counts one upgrade in g.active, unless the gateway has stopped.
func (g *Gateway) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.active.Add(1)
	return true
}
