package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"github.com/coder/websocket"
	"github.com/roomgate/roomgate/auth"
)

// A request is one message of a roomgate.v1 client.
type request struct {
	typ   string
	ref   ref
	room  string
	token string
	data  json.RawMessage
}

// answer does what a client's message asks for, and says what came of it. data is only
// valid during the call.
func (c *conn) answer(typ websocket.MessageType, data []byte) {
	now := c.g.now()
	c.sent.Add(1)
	allowed := c.messages.allow(c.g.opts().messageLimit, now) || !c.overRate()
	if c.format == formatRaw {
		c.answerRaw(data, allowed)
		return
	}
	if typ != websocket.MessageText {
		c.g.metrics.clientMessage("binary")
		c.end(endKind)
		return
	}
	req, err := parseRequest(data)
	if !allowed {
		c.refuseRate(req.ref, now)
		return
	}
	if err != nil {
		c.g.metrics.clientMessage("invalid")
		c.fail(req.ref, codeBadRequest, err.Error())
		return
	}
	c.dispatch(req)
}

// dispatch answers one well-formed request of a roomgate.v1 client.
func (c *conn) dispatch(req request) {
	if c.session.Load() == nil && req.typ != "auth" {
		c.g.metrics.clientMessage("unauthorized")
		c.g.authFailed(c.client.addr, "missing")
		c.end(endTokenMissing.because("the first message must be auth, with a token"))
		return
	}
	switch req.typ {
	case "auth":
		c.authenticate(req)
	case "subscribe":
		c.subscribe(req)
	case "unsubscribe":
		c.unsubscribe(req)
	case "publish":
		c.publish(req)
	case "ping":
		c.say(refFrame{Type: "pong", Ref: req.ref})
	default:
		c.g.metrics.clientMessage("unknown")
		c.fail(req.ref, codeBadRequest, "unknown type: use auth, subscribe, unsubscribe, publish or ping")
		return
	}
	c.g.metrics.clientMessage(req.typ)
}

// parseRequest reads one JSON object. Keys are matched exactly (encoding/json would also
// take "Type"), unknown ones ignored. What it could read is returned with an error too.
func parseRequest(data []byte) (req request, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return req, errors.New("a message must be one JSON object")
	}
	if raw, ok := fields["ref"]; ok {
		if !validRef(raw) {
			return req, errors.New("ref must be a number or a string of at most 64 bytes")
		}
		req.ref = raw
	}
	req.data = fields["data"]
	if req.typ, err = stringField(fields, "type"); err != nil {
		return req, err
	}
	if req.room, err = stringField(fields, "room"); err != nil {
		return req, err
	}
	if req.token, err = stringField(fields, "token"); err != nil {
		return req, err
	}
	if req.typ == "" {
		return req, errors.New("type is missing")
	}
	return req, nil
}

// stringField returns the string under key; empty if there is none.
func stringField(fields map[string]json.RawMessage, key string) (s string, err error) {
	raw, ok := fields[key]
	if !ok {
		return "", nil
	}
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return "", errors.New(key + " must be a string")
	}
	return s, nil
}

// validRef reports whether raw, which is valid JSON, is a number or a string of at most 64 bytes.
func validRef(raw json.RawMessage) bool {
	const quotes = 2
	if raw[0] == '"' {
		return len(raw) <= 64+quotes
	}
	return len(raw) <= 64 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// fail tells the client that its request was not done, and why.
func (c *conn) fail(ref ref, code, message string) {
	c.say(errorFrame{Type: "error", Ref: ref, Code: code, Message: message})
}

// refuseRate answers a message over the rate. Who goes on, refused as often as a second
// allowance of the same size permits, is closed.
func (c *conn) refuseRate(ref ref, now int64) {
	c.g.metrics.clientMessage("rate_limited")
	if !c.refusals.allow(c.g.opts().messageLimit, now) {
		c.end(endRateExceeded)
		return
	}
	c.fail(ref, codeRateLimited, "too many messages: slow down")
}

// overRate counts a message, ping or pong over the rate, and reports whether it is to be refused.
func (c *conn) overRate() bool {
	return c.g.exceeded(limitMessages, c.client.addr, slog.String("conn", c.name()), slog.String("sub", c.subject()))
}

// answerRaw publishes a raw client's frame, if it has one room and may: raw has no frames of
// our own, so every refusal is the connection's end.
func (c *conn) answerRaw(data []byte, allowed bool) {
	switch s := c.session.Load(); {
	case !allowed:
		c.g.metrics.clientMessage("rate_limited")
		c.end(endRateExceeded)
	case s == nil || len(c.rooms) != 1 || !s.grant.MayPublish(c.rooms[0].room):
		c.g.metrics.clientMessage("forbidden")
		c.end(endKind.because("raw takes client frames only with exactly one room that the token may publish to"))
	default:
		c.g.metrics.clientMessage("publish")
		if err := c.g.publish(c.rooms[0].room, data); err != nil {
			c.end(endNoRedis)
		}
	}
}

// publish publishes to a room on behalf of the client.
func (c *conn) publish(req request) {
	switch {
	case !auth.ValidRoom(req.room):
		c.fail(req.ref, codeBadRequest, badRoom)
	case len(req.data) == 0:
		c.fail(req.ref, codeBadRequest, "data is missing")
	case !c.session.Load().grant.MayPublish(req.room):
		c.fail(req.ref, codeForbidden, "the token does not allow publishing to this room")
	case c.g.publish(req.room, req.data) != nil:
		c.fail(req.ref, codeUnavailable, "Redis did not take the message: try again later")
	default:
		c.say(refFrame{Type: "published", Ref: req.ref})
	}
}

// badRoom explains a name that auth.ValidRoom refuses.
const badRoom = "a room is 1 to 128 bytes of A-Z a-z 0-9 _ . : @ = + , ~ / -"

// subscribe joins a room. The answer comes from the room's lane, where it stands in the
// right place among the messages.
func (c *conn) subscribe(req request) {
	switch {
	case !auth.ValidRoom(req.room):
		c.fail(req.ref, codeBadRequest, badRoom)
		return
	case !c.session.Load().grant.MayJoin(req.room):
		c.fail(req.ref, codeForbidden, "the token does not allow this room")
		return
	case c.inRoom(req.room):
		c.sayInPlace(roomFrame{Type: "subscribed", Room: req.room, Ref: req.ref})
		return
	case !c.joins.allow(c.g.opts().joinLimit, c.g.now()) && c.g.exceeded(limitSubscribes, c.client.addr):
		c.fail(req.ref, codeRateLimited, "too many subscribes: slow down")
		return
	case len(c.rooms) >= c.g.opts().RoomsPerConnection && c.g.exceeded(limitRooms, c.client.addr):
		c.fail(req.ref, codeTooManyRooms, "leave a room first")
		return
	}
	ctx, cancel := context.WithTimeout(c.g.ctx, c.g.opts().SubscribeTimeout)
	defer cancel()
	if err := c.g.rooms.Subscribe(ctx, req.room); err != nil {
		c.fail(req.ref, codeUnavailable, "Redis did not confirm the subscription: try again later")
		return
	}
	m := &membership{c: c, room: req.room}
	c.rooms = append(c.rooms, m)
	c.g.laneOf(req.room).ask(event{kind: eventJoin, m: m,
		reply: textFrame(roomFrame{Type: "subscribed", Room: req.room, Ref: req.ref})})
}

// unsubscribe leaves a room; to leave one that was not joined is no error.
func (c *conn) unsubscribe(req request) {
	reply := roomFrame{Type: "unsubscribed", Room: req.room, Ref: req.ref}
	if !auth.ValidRoom(req.room) {
		c.fail(req.ref, codeBadRequest, badRoom)
	} else if !c.leaveRoom(req.room, reply) {
		c.sayInPlace(reply)
	}
}

// sayInPlace lets the room's lane send a frame, so that it stands where it belongs among the
// room's messages and the answers before it.
func (c *conn) sayInPlace(f roomFrame) {
	c.g.laneOf(f.Room).ask(event{kind: eventReply, m: &membership{c: c, room: f.Room}, reply: textFrame(f)})
}

// leaveRoom leaves a room, and lets its lane send reply behind the last message. It reports
// false if the connection was not in the room.
func (c *conn) leaveRoom(room string, reply roomFrame) bool {
	i := slices.IndexFunc(c.rooms, func(m *membership) bool { return m.room == room })
	if i < 0 {
		return false
	}
	m := c.rooms[i]
	c.rooms = slices.Delete(c.rooms, i, i+1)
	c.g.laneOf(room).ask(event{kind: eventLeave, m: m, reply: textFrame(reply)})
	c.g.rooms.Unsubscribe(room)
	return true
}

func (c *conn) inRoom(room string) bool {
	return slices.ContainsFunc(c.rooms, func(m *membership) bool { return m.room == room })
}
