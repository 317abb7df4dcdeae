package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// A client is one connection. Who reads it has it for themselves, but for what take touches.
type client struct {
	number int
	room   uint32
	key    string // Sec-WebSocket-Key
	stream stream
	ready  bool
	closed bool // it has ended, and is counted
	track  track
}

// A Refused is a server's word that a client is not wanted: an HTTP status other than 101, or a close frame.
type Refused struct {
	Status int    // of the handshake; 0: it was good
	Code   int    // of the close frame; 1005: one without a code; 1006: the connection ended without a frame
	Reason string // what the server said; from a stranger
	After  string // Retry-After; empty: none
}

func (r *Refused) Error() string {
	reason := strings.Map(printable, r.Reason)
	if reason != "" {
		reason = ": " + reason
	}
	switch {
	case r.Status != 0:
		return fmt.Sprintf("refused with HTTP %d%s", r.Status, reason)
	case r.Code == 1006:
		return "the connection ended without a close frame" + reason
	}
	return fmt.Sprintf("closed with %d%s", r.Code, reason)
}

// printable drops what would do something to a terminal.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

var gapFrame = []byte(`{"type":"gap"`)

// take takes the bytes b that have come to cl, at now on the clock. What it returns is to be sent; an
// error means that the connection is over, and was counted.
func (c *Clients) take(cl *client, b []byte, now int64, out []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl.stream.in = b
	for {
		op, payload, ok, err := cl.stream.next()
		if err != nil {
			return out, c.count(cl, err)
		}
		if !ok {
			return out, nil
		}
		switch op {
		case opText, opBinary:
			out = c.message(cl, payload, now, out)
		case opPing:
			c.answered++
			out = appendFrame(out, opPong, payload)
		case opClose:
			return appendFrame(out, opClose, payload[:min(2, len(payload))]), c.count(cl, refusedBy(payload))
		}
	}
}

// message takes one message. The caller holds c.mu.
func (c *Clients) message(cl *client, payload []byte, now int64, out []byte) []byte {
	if bytes.HasPrefix(payload, gapFrame) {
		c.gaps++
		return out
	}
	switch {
	case c.run == nil:
	case c.run.any:
		if c.o.Message == nil || c.o.Message(payload) {
			c.run.takeAny(now)
		}
	case c.run.take(&cl.track, cl.room, payload, now):
		return out
	}
	if !cl.ready {
		cl.ready = c.o.Ready(payload)
	}
	if c.o.Answer != nil {
		if answer := c.o.Answer(payload); len(answer) > 0 {
			c.answered++
			return appendFrame(out, opText, answer)
		}
	}
	return out
}

// lose counts cl's connection as ended by err.
func (c *Clients) lose(cl *client, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.count(cl, err) // it is told by its code
}

// count is lose for who holds c.mu. It returns why.
func (c *Clients) count(cl *client, err error) error {
	refused := asRefused(err)
	if cl.closed {
		return refused
	}
	cl.closed = true
	if c.clients[cl.number] != nil { // it was open
		c.open--
		c.closedBy[strconv.Itoa(refused.Code)]++
		if c.first == nil {
			c.first = fmt.Errorf("client %d: %w", cl.number, refused)
		}
	}
	return refused
}

// asRefused says by a close code why a connection ended.
func asRefused(err error) *Refused {
	if refused, ok := errors.AsType[*Refused](err); ok {
		return refused
	}
	switch {
	case errors.Is(err, io.EOF):
		return &Refused{Code: 1006}
	case errors.Is(err, errProtocol):
		return &Refused{Code: 1002, Reason: err.Error()}
	case errors.Is(err, errTooLarge):
		return &Refused{Code: 1009, Reason: err.Error()}
	}
	return &Refused{Code: 1006, Reason: err.Error()}
}

// refusedBy is what a close frame says (RFC 6455 section 5.5.1).
func refusedBy(payload []byte) *Refused {
	if len(payload) < 2 {
		return &Refused{Code: 1005}
	}
	return &Refused{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
}
