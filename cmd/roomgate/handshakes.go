package main

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits that hold before the gateway sees a request, as the settings, the metric and the log name
// them.
const (
	limitHandshakes       = "handshakes"
	limitHandshakeTimeout = "handshake_timeout"
	limitUpstream         = "upstream_requests"
)

// handshakes are the connections of http.addr that are no WebSockets and bring no request now: those
// that connect, send a PROXY header or the head of a request, shake hands for TLS, get an answer, or
// are idle after one. They cost whoever opens them nothing, and each takes a descriptor. When there
// are too many, the oldest is closed: an honest handshake takes milliseconds, so the oldest is the
// one that waits for nothing good.
//
// A connection is closed here only while it is listed, and a request begins only by taking it off
// the list. So the gateway, which knows its sockets by descriptor, never has one closed under it.
type handshakes struct {
	budget   func() *budget                                   // of now
	exceeded func(limit string, addr netip.Addr, dryRun bool) // counts and logs

	mu   sync.Mutex // guards what follows, and the fields of each handshake
	all  map[net.Conn]*pending
	list list.List // of *pending, the oldest first
}

// A pending is one connection, until it is hijacked or closed.
type pending struct {
	conn    net.Conn      // as net/http knows it
	began   time.Time     // when it was accepted
	place   *list.Element // in the list; nil: it brings a request, or is gone
	handled bool          // it has brought a request
	gone    bool          // hijacked, or closed by either side
}

// pendingKey finds the pending in a request's context.
type pendingKey struct{}

// watch has server tell of its connections. timeout is that of its handshakes.
func (hs *handshakes) watch(server *http.Server, timeout time.Duration) {
	hs.all = make(map[net.Conn]*pending)
	server.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		h := &pending{conn: nc, began: time.Now()}
		hs.mu.Lock()
		hs.all[nc] = h
		hs.mu.Unlock()
		hs.enter(h)
		return context.WithValue(ctx, pendingKey{}, h)
	}
	server.ConnState = func(nc net.Conn, state http.ConnState) {
		switch state {
		case http.StateIdle:
			hs.mu.Lock()
			h := hs.all[nc]
			hs.mu.Unlock()
			hs.enter(h)
		case http.StateHijacked:
			hs.leave(nc)
		case http.StateClosed:
			if h := hs.leave(nc); h != nil && !h.handled && time.Since(h.began) >= timeout {
				hs.exceeded(limitHandshakeTimeout, addrOf(nc), false)
			}
		}
	}
}

// begin takes the connection of r off the list, since r is being handled. If it reports false, the
// connection is closed, and must not be touched.
func (hs *handshakes) begin(r *http.Request) (h *pending, ok bool) {
	h, _ = r.Context().Value(pendingKey{}).(*pending) // connect has put it there
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h.gone {
		return nil, false
	}
	h.handled = true
	hs.unlist(h)
	return h, true
}

// enter lists h as the newest. Whatever is then too much is closed, the oldest first. It reports
// false if h is gone, as one that was hijacked.
func (hs *handshakes) enter(h *pending) bool {
	b := hs.budget()
	hs.mu.Lock()
	if h.gone {
		hs.mu.Unlock()
		return false
	}
	hs.unlist(h)
	h.place = hs.list.PushBack(h)
	var closing []*pending // one, unless the limit was lowered
	for hs.list.Len() > b.handshakes {
		oldest := hs.list.Front().Value.(*pending)
		hs.unlist(oldest)
		oldest.gone = true
		closing = append(closing, oldest)
	}
	dry := len(closing) == 0 && b.dryHandshakes > 0 && hs.list.Len() > b.dryHandshakes
	hs.mu.Unlock()

	for _, oldest := range closing {
		tcp := below(oldest.conn)
		_ = tcp.Close() // if it fails, it is closed already
		hs.exceeded(limitHandshakes, addrOf(tcp), false)
	}
	if dry {
		hs.exceeded(limitHandshakes, addrOf(below(h.conn)), true)
	}
	return true
}

// leave forgets nc, and returns what it was; nil if it was closed here.
func (hs *handshakes) leave(nc net.Conn) *pending {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h := hs.all[nc]
	delete(hs.all, nc)
	if h.gone {
		return nil
	}
	hs.unlist(h)
	h.gone = true
	return h
}

// unlist takes h off the list, if it is there. hs.mu is held.
func (hs *handshakes) unlist(h *pending) {
	if h.place != nil {
		hs.list.Remove(h.place)
		h.place = nil
	}
}

// below is the TCP connection that nc rests on. To close a tls.Conn would be to write to it, and to
// ask a proxiedConn for its address to wait for the header.
func below(nc net.Conn) net.Conn {
	if secured, ok := nc.(*tls.Conn); ok {
		nc = secured.NetConn()
	}
	if proxied, ok := nc.(*proxiedConn); ok {
		nc = proxied.TCPConn
	}
	return nc
}

// addrOf is who is at the other end; of no IP connection the zero Addr.
func addrOf(nc net.Conn) netip.Addr {
	tcp, _ := nc.RemoteAddr().(*net.TCPAddr)
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
