//go:build linux

package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

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
		Type, Room, Reason string
		Code               any // of bye, a number; else a string
		Ref                *int
		After              int64
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
		c.gap(f.Room, f.Reason)
	case "bye":
		e.after, e.bye = time.Duration(f.After)*time.Millisecond, time.Now()
	case "subscribed", "unsubscribed", "error":
		if f.Type == "error" {
			secrecy.Text(c.w.t, string(b))
		}
		if c.tosses == nil || f.Ref == nil || c.track(*f.Ref) == nil {
			c.trouble = fmt.Errorf("got a frame that it did not ask for: %.120s", b)
			return
		}
		c.trouble = c.tosses.answered(c, c.track(*f.Ref), f.Type, fmt.Sprint(f.Code))
	default:
		c.trouble = fmt.Errorf("got a frame of a type that it has no use for: %.120s", b)
	}
}

// gap takes a gap frame, of one room or of all.
func (c *client) gap(room, reason string) {
	told := false
	for _, k := range c.tracks {
		if k.open && (room == "" || room == roomName(k.room)) {
			k.gap(c.w.ledger.next(k.room))
			c.told(notice{at: time.Now(), gap: reason, room: k.room})
			told = true
		}
	}
	if !told {
		c.trouble = fmt.Errorf("got a gap of room %q, in which it is not", room)
	}
}

// payload takes a message of ours: {"n":number,"at":microseconds,…}.
func (c *client) payload(k *track, b []byte) {
	n, at, ok := parseMessage(b)
	if !ok {
		c.trouble = fmt.Errorf("got a payload that nobody published: %.80s", b)
		return
	}
	if !k.open {
		k.stray++
		return
	}
	now := time.Now()
	c.w.latencies.add(now.Sub(time.UnixMicro(at)))
	k.message(n, now)
}
