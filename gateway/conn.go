package gateway

import (
	"bufio"
	"errors"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/roomgate/roomgate/auth"
)

// A conn is one WebSocket connection. One goroutine at a time owns its reading side; while
// it is parked, none does. Everybody else may send to it and end it.
type conn struct {
	g        *Gateway
	id       uint64
	format   format
	encoding encoding        // of messages: the format, compressed or not
	ws       *websocket.Conn // handshake and reading; written by it are control frames only
	br       *bufio.Reader   // the library's, ours to peek into
	client   client

	out outbox

	session  atomic.Pointer[session] // nil until a token was accepted
	ended    atomic.Pointer[ending]  // the first ending given wins
	greeted  atomic.Bool             // hello is sent, or held in front of all else
	sent     atomic.Uint32           // messages from the client; it may wrap around
	lastLife atomic.Int64            // when the client last finished a frame, on the gateway's clock
	handling atomic.Bool             // we are busy with what it sent: silence is ours, not the client's
	told     uint32                  // of sent, what Top has told; guarded by the gateway's looks
	closeBy  atomic.Int64            // when a closing connection is cut off; 0 while it is not closing
	gapAt    atomic.Int64            // raw format: when it is told of a gap, by its end; 0 for none
	parked   atomic.Bool             // nobody reads: its socket stands in the poller

	owned // by the goroutine that reads
	timed // by the clockwork

	slot wheelSlot // guarded by the wheel's mutex
}

// owned is what belongs to the goroutine that reads a connection.
type owned struct {
	leaving  bool          // leave has begun
	counted  bool          // among the connections of its user
	rooms    []*membership // joined, and being joined
	asked    []string      // rooms of the query, until they are joined
	early    []byte        // read by net/http behind the request, before the upgrade
	peeking  bool          // Read must not wait
	begun    bool          // the client has begun a frame
	deadline bool          // and its deadline is set
	watched  bool          // the poller knows the socket
	messages pace          // data messages from the client
	controls pace          // pings and pongs from it
	joins    pace          // subscribe messages
	refusals pace          // of what is over a rate
}

// timed is what belongs to the clockwork, which visits each connection when something is due.
type timed struct {
	pingAt int64 // when the next ping is due
	endAt  int64 // when it has its maximum age; 0: not drawn yet
	pongBy int64 // when a sign of life is due; 0: no ping is under way
	warned int64 // the expiry of which `expiring` was sent, so that a refreshed token is warned of again
}

// A session is what a token gave a connection. It is replaced as a whole by a refresh.
type session struct {
	grant *auth.Grant
	exp   int64 // grant's expiry on the gateway's clock, without leeway
}

// A client is who stands at the other end, for logs.
type client struct {
	addr   netip.Addr // behind the trusted proxies; the zero Addr if it did not come over IP
	origin string     // of the page, as the browser says; empty: it is none
	start  int64      // when the request came, on the gateway's clock
}

// A membership is one connection in one room. It links the two so that a leave costs the
// same however many members the room has.
type membership struct {
	c     *conn
	room  string
	index int // in the room's members; owned by the room's lane
}

// end begins to end the connection for reason e: what is queued is flushed, then the close
// frame goes out, and the client has closeTimeout to answer. The first reason given wins.
// It does not block.
func (c *conn) end(e ending) { c.endWith(e, nil) }

// endWith is end with frames that go out before the close frame.
func (c *conn) endWith(e ending, before []byte) {
	if !c.ended.CompareAndSwap(nil, &e) {
		return
	}
	if e.code == 0 {
		c.kill()
		return
	}
	c.out.finish(append(before, e.closeFrame()...), e.code == endSlow.code)
	c.cutOffLater()
}

// cutOffLater gives the client closeTimeout to read what is queued, and to close.
func (c *conn) cutOffLater() {
	by := c.g.now() + int64(closeTimeout)
	c.closeBy.Store(by)
	c.g.wheel.schedule(c, by)
}

// kill closes the socket at once. Whoever reads finds out; if nobody does, somebody is sent.
func (c *conn) kill() {
	_ = c.out.close() // a close that fails leaves nothing to do: the descriptor is gone
	if c.parked.CompareAndSwap(true, false) {
		c.g.active.Go(c.attend)
	}
}

// leave undoes what the connection did, in reverse. The owner of the reading side calls it,
// once, as its last act.
func (c *conn) leave() {
	c.leaving = true
	_ = c.out.close()
	_ = c.ws.CloseNow() // frees the library's side; the socket is closed already
	c.g.poller.forget(c)
	for len(c.rooms) > 0 {
		m := c.rooms[0]
		c.rooms = c.rooms[1:] // first: whatever fails, a room is left once
		c.g.laneOf(m.room).post(event{kind: eventLeave, m: m})
		c.g.rooms.Unsubscribe(m.room)
	}
	if c.counted {
		c.g.users.leave(c.subject())
	}
	c.g.wheel.remove(c)
	if c.session.Load() != nil {
		c.g.returning.left(c)
	}
	c.g.forget(c)

	why := c.ended.Load()
	age := time.Duration(c.g.now() - c.client.start)
	c.g.metrics.ended(why, age)
	c.logEnd(why, age)
}

// name is the connection's id as clients and logs see it.
func (c *conn) name() string {
	const digits = 16
	s := strconv.FormatUint(c.id, 16)
	return "0000000000000000"[:digits-len(s)] + s
}

// subject is who the token says it is; empty if it says nothing or none was accepted.
func (c *conn) subject() string {
	if s := c.session.Load(); s != nil {
		return s.grant.Subject
	}
	return ""
}

// issuer is whose token it was; empty if the token names none or none was accepted.
func (c *conn) issuer() string {
	if s := c.session.Load(); s != nil {
		return s.grant.Issuer
	}
	return ""
}

// say sends one frame of our own. A raw connection has none: it is not asked for one.
func (c *conn) say(v any) { c.sayFrame(textFrame(v)) }

// sayFrame sends one whole frame. A client that does not read it is slow.
func (c *conn) sayFrame(frame []byte) {
	c.slow(c.out.send(frame))
}

// slow ends the connection if err, which a send returned, says that its client does not read what
// it is sent. It reports whether it does.
func (c *conn) slow(err error) bool {
	switch {
	case errors.Is(err, errFull):
		c.end(endSlow)
	case errors.Is(err, errAllFull):
		c.end(endAllSlow)
	default:
		return false
	}
	return true
}
