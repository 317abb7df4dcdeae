//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

const (
	formatV1  = "roomgate.v1"
	formatRaw = "roomgate.raw.v1"
)

// A client connects, reads, and reconnects as the protocol says, until its context ends. Its
// goroutine owns it; fields that others read are atomic, or read once that has ended.
type client struct {
	w      *world
	addr   string // where it connects
	raw    bool
	tracks []*track
	tosses *churn // nil: it stays where it is

	backoff backoff
	notices []notice
	ends    map[int]int // connections by close code
	refused map[int]int // handshakes by status
	trouble error       // why it gave up, or what it must not have been sent; nil: nothing

	online atomic.Bool // it has its hello, or raw its first pong or message
}

// live is the client's whole life.
func (c *client) live(ctx context.Context) {
	for ctx.Err() == nil && c.trouble == nil {
		e := c.connect(ctx)
		c.online.Store(false)
		if ctx.Err() != nil {
			return
		}
		pause, again := c.backoff.pause(e)
		if !again && c.trouble == nil {
			c.trouble = fmt.Errorf("told to stop: close code %d, status %d", e.code, e.status)
		}
		if c.trouble != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// connect is one connection, from the dial to the end.
func (c *client) connect(ctx context.Context) ending {
	format := formatV1
	if c.raw {
		format = formatRaw
	}
	c.tosses.reconnected()
	conn, err := dialWire(ctx, c.addr, c.w.front.secure(), c.query(), format, c.w.token)
	if r, ok := errors.AsType[*refused](err); ok {
		secrecy.Text(c.w.t, r.text)
		c.refused[r.status]++
		return ending{status: r.status, after: r.after}
	}
	if err != nil {
		return ending{after: -1}
	}
	c.w.returns.count(time.Now())
	defer conn.close()
	defer context.AfterFunc(ctx, conn.close)()
	began := time.Now()
	e := c.read(conn)
	if ctx.Err() != nil {
		return e // the test's end, not the gateway's: what is missing now is not announced
	}
	c.ended(e)
	e.lived = time.Since(began)
	return e
}

// ended accounts for the end of a connection.
func (c *client) ended(e ending) {
	now := time.Now()
	for _, k := range c.tracks {
		k.ended(e.code, c.w.owedAtEnd(k.room, e), now)
	}
	if !e.own {
		c.ends[e.code]++
		c.told(notice{at: now, code: e.code, room: c.tracks[0].room, joined: c.online.Load()})
	}
}

func (c *client) told(n notice) {
	n.raw = c.raw
	if len(c.notices) < noticesMost {
		c.notices = append(c.notices, n)
	}
}

// query names the rooms to join: those that the client was in, or asked for.
func (c *client) query() string {
	q := make(url.Values)
	for _, k := range c.tracks {
		if !c.tosses.isOut(k) {
			q.Add("room", roomName(k.room))
		}
	}
	return q.Encode()
}

// read reads until the end of the connection.
func (c *client) read(conn *wire) ending {
	e := ending{after: -1}
	if c.raw && conn.send(wstest.Ping, nil) != nil { // its pong proves that the room is joined
		return e
	}
	for {
		op, payload, err := conn.read()
		if v, ok := errors.AsType[violation](err); ok {
			c.trouble = v
		}
		switch {
		case err != nil:
			return e
		case op == wstest.Close:
			if len(payload) >= 2 {
				e.code = int(payload[0])<<8 | int(payload[1])
				secrecy.Text(c.w.t, string(payload[2:]))
			}
			if e.bye.IsZero() {
				e.bye = time.Now()
			}
			_ = conn.send(wstest.Close, payload[:min(2, len(payload))]) // the gateway may be gone
			return e
		case op == wstest.Pong:
			c.join(c.tracks[0])
		case c.raw:
			c.join(c.tracks[0])
			c.payload(c.tracks[0], payload)
		case op != wstest.Text:
			c.trouble = violation(fmt.Sprintf("a frame of opcode %d, and roomgate.v1 is text", op))
		default:
			c.frame(payload, &e)
		}
		if c.trouble != nil {
			return e
		}
		if c.tosses != nil && c.online.Load() {
			if e.own = !c.tosses.toss(c, conn); e.own {
				return e
			}
		}
	}
}

// join says that a room is joined now, for the first time or again.
func (c *client) join(k *track) {
	k.joined(c.w.ledger.next(k.room))
	c.online.Store(true)
}

func (c *client) track(room int) *track {
	for _, k := range c.tracks {
		if k.room == room {
			return k
		}
	}
	return nil
}

func roomName(room int) string { return "r" + strconv.Itoa(room) }
