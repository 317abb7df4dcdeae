package gateway

import (
	"bufio"
	crand "crypto/rand"
	"encoding/binary"
	"net"
	"net/http"
	"slices"

	"github.com/coder/websocket"
)

// upgrade answers 101 and takes the connection over from net/http.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request, o *offer, who client) (*conn, error) {
	c := &conn{g: g, id: newID(), format: o.format, client: who}
	c.asked = o.asked
	c.lastLife.Store(who.start)
	s := g.opts()
	ws, err := websocket.Accept(&hijacker{ResponseWriter: w, c: c}, r, &websocket.AcceptOptions{
		Subprotocols:       []string{o.proto},
		InsecureSkipVerify: true, // the origin was checked before; the library's rule is another
		CompressionMode:    s.compressionMode(),
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(int64(s.readLimit())) // of what was inflated
	c.encoding = encodingOf(c.format, agreed(w.Header()))
	c.ws = ws
	c.br.Reset((*wire)(c)) // in the place of what the library put between: it kept 200 bytes to read none of our own
	return c, nil
}

// newID draws a connection's id. It is no secret, but hard to guess.
func newID() uint64 {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// open begins the life of an upgraded connection. It is called by the goroutine of the request,
// which has little left to do: another would cost as much as all that is done here.
func (c *conn) open(o *offer) {
	defer c.guard()
	c.g.remember(c)
	switch {
	case o.ending != nil:
		c.end(*o.ending)
	case o.grant != nil:
		c.enter(o.grant, o.rooms, nil)
	}
	if len(c.early) > 0 || !c.park() {
		c.g.active.Go(c.attend)
	}
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
	c.out.limit, c.out.all, c.out.active, c.out.sock = c.g.opts().OutboxBytes, &c.g.backlog, &c.g.active, newSocket(nc)
	w := (*wire)(c)
	c.br = bufio.NewReaderSize(w, readBuffer)
	return w, bufio.NewReadWriter(c.br, bufio.NewWriterSize(w, writeBuffer)), nil
}
