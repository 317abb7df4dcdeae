package gateway

import (
	"bufio"
	crand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"github.com/roomgate/roomgate/auth"
)

// Values of Options.Reject.
const (
	rejectClose  = "close"
	rejectStatus = "status"
)

// ServeHTTP takes a WebSocket request through the door: is there room for it; is it well
// formed; may its page connect; who is it; what may it join. Only then is it upgraded. The
// handler returns at the upgrade, so that what net/http keeps for a request is freed.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refused := g.admit(r)
	if refused == nil {
		refused = g.accept(w, r)
	}
	if refused != nil {
		g.metrics.connect(refused.result)
		refused.write(w)
	}
}

// admit takes a place for the request, if there is one: what follows costs more than this.
// accept, or the end of the connection, gives it back.
func (g *Gateway) admit(r *http.Request) *httpRefusal {
	if g.draining.Load() {
		return unavailable("draining", "draining: reconnect to another node")
	}
	if n := g.admitted.Add(1); g.opts.Connections > 0 && n > int64(g.opts.Connections) {
		g.admitted.Add(-1)
		g.security("full", peerAddr(r), "as many connections as limits.connections allows")
		return unavailable("full", "this node is full: try another, or later")
	}
	return nil
}

// accept examines a request and upgrades it, or says why not. If the upgrade itself fails,
// net/http has answered.
func (g *Gateway) accept(w http.ResponseWriter, r *http.Request) *httpRefusal {
	start := g.now()
	taken := false // the place is the connection's
	defer func() { // also if a verifier panics
		if !taken {
			g.admitted.Add(-1)
		}
	}()
	offer, refused := g.examine(w, r)
	if refused != nil {
		return refused
	}
	if !g.begin() {
		return unavailable("draining", "draining: reconnect to another node")
	}
	defer g.active.Done()
	c, err := g.upgrade(w, r, offer, start)
	if err != nil {
		g.metrics.connect("failed")
		g.log.LogAttrs(r.Context(), slog.LevelDebug, "upgrade", slog.String("addr", offer.addr), slog.String("error", err.Error()))
		return nil
	}
	taken = true
	g.metrics.connect(offer.result())
	g.active.Go(func() { c.open(offer) })
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

// An offer is what a request brings, examined before the upgrade.
type offer struct {
	addr   string
	format format
	proto  string // the subprotocol to select; empty: none was offered
	asked  []string

	grant  *auth.Grant // nil: the token comes with the first message, or ending says what is wrong
	rooms  []string    // to join, if grant is not nil
	ending *ending     // the request is upgraded to be told this
}

// result is the label under which the upgrade is counted.
func (o *offer) result() string {
	if o.ending != nil {
		return o.ending.label
	}
	return "accepted"
}

// examine decides on a request before the upgrade. It returns either an offer or a refusal.
func (g *Gateway) examine(w http.ResponseWriter, r *http.Request) (*offer, *httpRefusal) {
	o := &offer{addr: peerAddr(r)}
	if refused := checkUpgrade(w, r); refused != nil {
		return nil, refused
	}
	if origin := r.Header.Get("Origin"); !g.origins.allow(origin, r.Host) {
		g.security("origin_refused", o.addr, "origin not allowed: list it in http.allowed_origins", slog.String("origin", clip(origin)))
		return nil, &httpRefusal{http.StatusForbidden, "origin", "this origin is not allowed"}
	}
	if err := g.opts.Rooms.Ready(); err != nil {
		return nil, unavailable("redis_unavailable", "Redis is unavailable: try again later")
	}
	if refused := g.negotiate(o, r); refused != nil {
		return nil, refused
	}
	if refused := g.authorize(o, r); refused != nil {
		return nil, refused
	}
	return o, nil
}

// negotiate finds the format and the rooms that are asked for.
func (g *Gateway) negotiate(o *offer, r *http.Request) *httpRefusal {
	if g.opts.Format == "raw" {
		o.format = formatRaw
	}
	offered := offeredProtocols(r)
	for _, p := range offered {
		if f := slices.Index(subprotocols[:], p); f >= 0 {
			o.format, o.proto = format(f), p
			break
		}
	}
	if o.proto == "" && slices.ContainsFunc(offered, isBearer) {
		return badRequest("offer roomgate.v1 or roomgate.raw.v1 beside bearer.<jwt>: a browser drops a connection whose offer is not answered")
	}
	for _, room := range r.URL.Query()["room"] {
		if !auth.ValidRoom(room) {
			return badRequest(badRoom)
		}
		if len(o.asked) == g.opts.RoomsPerConnection {
			return badRequest(tooManyRooms)
		}
		o.asked = append(o.asked, strings.Clone(room)) // not to keep the query, which may hold a token
	}
	return nil
}

// authorize finds who is asking and what they may join. With auth.reject: close, what is
// wrong becomes the connection's ending, which a browser sees; else a status, which it does not.
func (g *Gateway) authorize(o *offer, r *http.Request) *httpRefusal {
	token, err := g.tokenOf(r)
	if err != nil {
		g.authFailed(o.addr, "ambiguous")
		return g.refuse(o, endTokenInvalid.because(err.Error()))
	}
	if token == "" {
		if o.format == formatV1 && g.tokenFrom(tokenMessage) {
			return nil
		}
		g.authFailed(o.addr, "missing")
		return g.refuse(o, endTokenMissing)
	}
	grant, err := g.verify(token)
	if err != nil {
		reason := reasonOf(err)
		g.authFailed(o.addr, reason)
		if reason == reasonUnavailable {
			return unavailable(endNoKeys.label, endNoKeys.text)
		}
		return g.refuse(o, refusal(err))
	}
	rooms, refused, ok := roomsAtConnect(grant, o.asked)
	if !ok {
		g.authFailed(o.addr, "room")
		return g.refuse(o, endRoomForbidden.because("the token does not allow room "+refused))
	}
	if len(rooms) > g.opts.RoomsPerConnection {
		return g.refuse(o, endBadRequest.because(tooManyRooms))
	}
	o.grant, o.rooms = grant, rooms
	return nil
}

// refuse refuses for a reason that the client must see.
func (g *Gateway) refuse(o *offer, e ending) *httpRefusal {
	if g.opts.Reject == rejectClose {
		o.ending = &e
		return nil
	}
	status := http.StatusUnauthorized
	switch e.code {
	case endRoomForbidden.code:
		status = http.StatusForbidden
	case endBadRequest.code:
		status = http.StatusBadRequest
	}
	return &httpRefusal{status, e.label, e.text}
}

// upgrade answers 101 and takes the connection over from net/http.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, o *offer, start int64) (*conn, error) {
	c := &conn{g: g, id: newID(), format: o.format, client: client{addr: o.addr, start: start}}
	c.asked = o.asked
	c.lastLife.Store(start)
	ws, err := websocket.Accept(&hijacker{ResponseWriter: w, c: c}, r, &websocket.AcceptOptions{
		Subprotocols:       []string{o.proto},
		InsecureSkipVerify: true, // the origin was checked before; the library's rule is another
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(int64(g.opts.MessageBytes))
	c.ws = ws
	return c, nil
}

// newID draws a connection's id. It is no secret, but hard to guess.
func newID() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// open begins the life of an upgraded connection, in its goroutine.
func (c *conn) open(o *offer) {
	defer c.guard()
	c.g.remember(c)
	switch {
	case o.ending != nil:
		c.end(*o.ending)
	case o.grant != nil:
		c.enter(o.grant, o.rooms, nil)
	}
	c.attendTo()
}

// A hijacker gives the WebSocket library a connection of ours, with buffers of the size that
// control frames need. The library as documented keeps net/http's, 4 KB each.
type hijacker struct {
	http.ResponseWriter
	c *conn
}

// Sizes in bytes. A client's control frame has at most 2 + 4 + 125 and is peeked at whole; a
// server's at most 2 + 125 and must fit, so that it is written at once.
const (
	readBuffer  = 256
	writeBuffer = 128
)

// Hijack takes the connection over from net/http, with what it has read beyond the request.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c := h.c
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n) // buffered: cannot fail
		c.early = slices.Clone(early)
	}
	c.out.limit, c.out.total, c.out.active, c.out.sock = c.g.opts.OutboxBytes, &c.g.waiting, &c.g.active, newSocket(nc)
	w := (*wire)(c)
	c.br = bufio.NewReaderSize(w, readBuffer)
	return w, bufio.NewReadWriter(c.br, bufio.NewWriterSize(w, writeBuffer)), nil
}
