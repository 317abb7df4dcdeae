//go:build linux

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
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
	raw    bool
	tracks []*track
	tosses *churn // nil: it stays where it is

	backoff backoff
	ends    map[int]int // connections by close code
	refused map[int]int // handshakes by status
	trouble error       // why it gave up, or what it must not have been sent; nil: nothing

	online atomic.Bool // it is in all its rooms
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
		if !again {
			c.trouble = fmt.Errorf("told to stop: close code %d, status %d", e.code, e.status)
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
	conn, err := dialWire(ctx, c.w.balancer.addr(), c.query(), format, c.w.token)
	if r, ok := errors.AsType[*refused](err); ok {
		secrecy.Text(c.w.t, r.text)
		c.refused[r.status]++
		return ending{status: r.status, after: r.after}
	}
	if err != nil {
		return ending{after: -1}
	}
	defer conn.close()
	defer context.AfterFunc(ctx, conn.close)()
	began := time.Now()
	e := c.read(conn)
	if ctx.Err() != nil {
		return e // the test's end, not the gateway's: what is missing now is not announced
	}
	for _, k := range c.tracks {
		k.ended(e.code)
	}
	if !e.own {
		c.ends[e.code]++
	}
	e.lived = time.Since(began)
	return e
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
		switch {
		case err != nil:
			return e
		case op == wstest.Close:
			if len(payload) >= 2 {
				e.code = int(payload[0])<<8 | int(payload[1])
				secrecy.Text(c.w.t, string(payload[2:]))
			}
			_ = conn.send(wstest.Close, payload[:min(2, len(payload))]) // the gateway may be gone
			return e
		case op == wstest.Pong:
			c.join(c.tracks[0])
		case c.raw:
			c.join(c.tracks[0])
			c.payload(c.tracks[0], payload)
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
	if k.in.Load() {
		return
	}
	cover := byReconnect
	if k.first {
		cover = notOwed
	}
	k.first = false
	k.joined(c.w.ledger.next(k.room), cover)
	c.online.Store(true)
}

var messageHead = []byte(`{"type":"message","room":"r`)

// frame takes one frame of roomgate.v1.
func (c *client) frame(b []byte, e *ending) {
	if rest, ok := bytes.CutPrefix(b, messageHead); ok {
		room, rest, _ := bytes.Cut(rest, []byte{'"'})
		n, err := strconv.Atoi(string(room))
		if k := c.track(n); err == nil && k != nil {
			c.payload(k, bytes.TrimPrefix(rest, []byte(`,"data":`)))
			return
		}
		c.trouble = fmt.Errorf("got a message of a room that it never asked for: %.80s", b)
		return
	}
	var f struct {
		Type, Room string
		Code       any // of bye, a number; else a string
		Ref        *int
		After      int64
	}
	if err := json.Unmarshal(b, &f); err != nil {
		c.trouble = fmt.Errorf("got a frame that is none: %.80s", b)
		return
	}
	switch f.Type {
	case "hello":
		for _, k := range c.tracks {
			if !c.tosses.isOut(k) {
				c.join(k)
			}
		}
	case "gap":
		for _, k := range c.tracks {
			if k.in.Load() && (f.Room == "" || f.Room == roomName(k.room)) {
				k.gap(c.w.ledger.next(k.room))
			}
		}
	case "bye":
		e.after = time.Duration(f.After) * time.Millisecond
	case "subscribed", "unsubscribed", "error":
		if f.Type == "error" {
			secrecy.Text(c.w.t, string(b))
		}
		if c.tosses == nil || f.Ref == nil || c.track(*f.Ref) == nil {
			c.trouble = fmt.Errorf("got a frame that it did not ask for: %.120s", b)
			return
		}
		c.trouble = c.tosses.answered(c, c.track(*f.Ref), f.Type, fmt.Sprint(f.Code))
	}
}

// payload takes a message of ours: {"n":number,"at":microseconds,…}.
func (c *client) payload(k *track, b []byte) {
	n, at, ok := parseMessage(b)
	if !ok {
		c.trouble = fmt.Errorf("got a payload that nobody published: %.80s", b)
		return
	}
	if !k.in.Load() && !c.tosses.isLeaving(k) {
		k.stray++
		return
	}
	c.w.latencies.add(time.Since(time.UnixMicro(at)))
	if k.in.Load() {
		k.message(n)
	}
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
