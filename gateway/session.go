package gateway

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/roomgate/roomgate/auth"
)

// verify checks a token, which may take a fetch of keys.
func (g *Gateway) verify(token string) (*auth.Grant, error) {
	ctx, cancel := context.WithTimeout(g.ctx, g.opts().AuthTimeout)
	defer cancel()
	return g.opts().Tokens.Verify(ctx, token)
}

// reasonOf is the metric label of a refused token.
func reasonOf(err error) string {
	var refused *auth.Error
	if errors.As(err, &refused) {
		return string(refused.Reason)
	}
	return reasonUnavailable
}

// reasonUnavailable labels a token that cannot be judged now. Its error may speak of hosts and
// URLs: it is for the log, never for the client.
const reasonUnavailable = "unavailable"

// roomsAtConnect returns the rooms that a connection joins when it begins: those of
// rooms.auto, and those asked for, or, if none was, every exact name of the token. If one is
// not allowed it returns that and ok false.
func roomsAtConnect(grant *auth.Grant, asked []string) (rooms []string, refused string, ok bool) {
	wanted := asked
	if len(wanted) == 0 {
		wanted = grant.Named()
	}
	seen := make(map[string]bool)
	for _, room := range append(grant.Auto(), wanted...) {
		if !grant.MayJoin(room) {
			return nil, room, false
		}
		if !seen[room] {
			seen[room] = true
			rooms = append(rooms, room)
		}
	}
	return rooms, "", true
}

// enter makes a connection live: its session begins, Redis confirms its rooms, and it joins
// them, with hello in front of their first message. The connection's goroutine calls it once.
func (c *conn) enter(grant *auth.Grant, rooms []string, ref ref) {
	c.asked = nil
	c.begin(grant)
	if c.g.returning.came(c) {
		c.g.metrics.reconnecting.Inc()
	}
	if !c.countUser(grant.Subject) {
		c.end(endTooManyOfUser)
	}
	if c.ended.Load() != nil {
		return // drained or disconnected meanwhile: no work for nobody
	}
	if err := c.g.subscribeAll(rooms); err != nil {
		c.g.logSampled(slog.LevelWarn, "subscribe_failed", "rooms not confirmed by Redis", slog.String("conn", c.name()), slog.String("error", err.Error()))
		c.end(endNoRedis)
		return
	}
	// The joins are posted before hello can be seen: what is published by somebody who has
	// seen it is behind them in the lanes. What they let through meanwhile waits behind hello.
	if c.format == formatV1 {
		c.out.cork(c.hello(rooms, ref))
		defer c.out.uncork()
	}
	c.greeted.Store(true)
	for _, room := range rooms {
		m := &membership{c: c, room: room}
		c.rooms = append(c.rooms, m)
		c.g.laneOf(room).post(event{kind: eventJoin, m: m})
	}
}

// countUser counts the connection among those of its user, and reports whether there is room.
func (c *conn) countUser(sub string) bool {
	if sub == "" {
		return true // nobody in particular
	}
	c.counted = true
	n, most := c.g.users.enter(sub), c.g.opts().ConnectionsPerUser
	return most == 0 || n <= most || !c.g.exceeded(limitPerUser, c.client.addr, slog.String("sub", sub))
}

// begin gives the connection a session, the first or a refreshed one.
func (c *conn) begin(grant *auth.Grant) {
	c.session.Store(&session{grant: grant, exp: c.g.clock(grant.Expires)})
	c.g.wheel.schedule(c, c.g.now()) // to see when the expiry is due
}

// subscribeAll subscribes to all rooms, or to none and says why.
func (g *Gateway) subscribeAll(rooms []string) error {
	ctx, cancel := context.WithTimeout(g.ctx, g.opts().SubscribeTimeout)
	defer cancel()
	done := make([]bool, len(rooms))
	subscribe := func(i int) error {
		err := g.rooms.Subscribe(ctx, rooms[i])
		done[i] = err == nil
		return err
	}
	var err error
	if len(rooms) == 1 {
		err = subscribe(0)
	} else {
		var all errgroup.Group // bounded by the rooms a connection may have; waited for here
		for i := range rooms {
			all.Go(func() error { return subscribe(i) })
		}
		err = all.Wait()
	}
	if err == nil {
		return nil
	}
	for i, room := range rooms {
		if done[i] {
			g.rooms.Unsubscribe(room)
		}
	}
	return err
}

// hello returns the frame that tells a client who and where it is.
func (c *conn) hello(rooms []string, ref ref) []byte {
	if rooms == nil {
		rooms = []string{} // [] and not null
	}
	grant := c.session.Load().grant
	return textFrame(helloFrame{Type: "hello", V: 1, Conn: c.name(), Sub: grant.Subject, Rooms: rooms,
		Exp: grant.Expires.Unix(), Ping: int(c.g.opts().PingInterval.Seconds()), Ref: ref})
}

// authenticate takes the token of an auth message: the first one, or a refresh.
func (c *conn) authenticate(req request) {
	if req.token == "" {
		c.fail(req.ref, codeBadRequest, "token is missing")
		return
	}
	at, first := site(c.client.addr), c.session.Load() == nil
	exhausted := c.g.addresses.exhausted(at, c.g.opts().failures(at), c.g.now())
	if first && exhausted && c.g.exceeded(limitFailures, c.client.addr) {
		c.end(endTooManyTokens)
		return
	}
	grant, err := c.g.verify(req.token)
	switch {
	case err != nil && first:
		c.g.tokenRefused(c.client.addr, reasonOf(err), err)
		c.end(refusal(err))
	case err != nil:
		c.refuseRefresh(err, req.ref, exhausted)
	case first:
		c.enterAsked(grant, req.ref)
	case grant.Subject != c.session.Load().grant.Subject:
		c.g.authFailed(c.client.addr, "subject")
		c.fail(req.ref, codeUnauthorized, "the new token is for another sub: open a new connection for it")
	default:
		c.refresh(grant, req.ref)
	}
}

// refuseRefresh answers a token that does not take the place of the one there is. Who has a good
// session is not ended because its neighbours are guessing, which is why its token was looked at;
// but for a guess of its own, if its address has had too many (exhausted).
func (c *conn) refuseRefresh(err error, ref ref, exhausted bool) {
	reason := reasonOf(err)
	c.g.tokenRefused(c.client.addr, reason, err)
	switch {
	case reason == reasonUnavailable:
		c.fail(ref, codeUnavailable, refusal(err).text)
	case exhausted && c.g.exceeded(limitFailures, c.client.addr):
		c.end(endTooManyTokens)
	default:
		c.fail(ref, codeUnauthorized, err.Error())
	}
}

// enterAsked enters with the rooms that were asked for when the connection was opened.
func (c *conn) enterAsked(grant *auth.Grant, ref ref) {
	rooms, refused, ok := roomsAtConnect(grant, c.asked)
	switch {
	case !ok:
		c.g.authFailed(c.client.addr, "room")
		c.end(endRoomForbidden.because("the token does not allow room " + refused))
	case len(rooms) > c.g.opts().RoomsPerConnection && c.g.exceeded(limitRooms, c.client.addr):
		c.end(endBadRequest.because(tooManyRooms))
	default:
		c.enter(grant, rooms, ref)
	}
}

// tooManyRooms explains limits.rooms_per_connection.
const tooManyRooms = "more rooms than one connection may have (limits.rooms_per_connection)"

// refresh replaces the session. Rooms that the new token does not allow are left.
func (c *conn) refresh(grant *auth.Grant, ref ref) {
	c.begin(grant)
	var kept []string
	for _, m := range append([]*membership(nil), c.rooms...) {
		if grant.MayJoin(m.room) {
			kept = append(kept, m.room)
		} else {
			c.leaveRoom(m.room, roomFrame{Type: "unsubscribed", Room: m.room, Code: codeForbidden})
		}
	}
	c.sayFrame(c.hello(kept, ref))
}

// refusal is how a connection ends whose token was not accepted.
func refusal(err error) ending {
	var refused *auth.Error
	switch {
	case errors.Is(err, auth.ErrRevokedUnknown):
		return endRevokedAway
	case !errors.As(err, &refused):
		return endNoKeys
	}
	return endTokenInvalid.because(err.Error())
}
