package gateway

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/roomgate/roomgate/auth"
)

// Values of Options.Reject.
const (
	rejectClose  = "close"
	rejectStatus = "status"
)

// An offer is what a request brings, examined before the upgrade.
type offer struct {
	who    client
	format format
	proto  string   // the subprotocol to select; empty: none was offered
	asked  []string // rooms of the query

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
func (g *Gateway) examine(w http.ResponseWriter, r *http.Request, who client) (*offer, *httpRefusal) {
	o := &offer{who: who}
	if refused := checkUpgrade(w, r); refused != nil {
		return nil, refused
	}
	if origin := r.Header.Get("Origin"); !g.opts().origins.allow(origin, r.Host) {
		g.security("origin_refused", who.addr, "origin not allowed: list it in http.allowed_origins", slog.String("origin", clip(origin)))
		return nil, &httpRefusal{http.StatusForbidden, "origin", "this origin is not allowed"}
	}
	if err := g.rooms.Ready(); err != nil {
		return nil, unavailable("redis_unavailable", "Redis is unavailable: try again later")
	}
	if refused := g.negotiate(o, r); refused != nil {
		return nil, refused
	}
	if refused := g.authorizeInTurn(o, r); refused != nil {
		return nil, refused
	}
	return o, nil
}

// negotiate finds the format and the rooms that are asked for.
func (g *Gateway) negotiate(o *offer, r *http.Request) *httpRefusal {
	if g.opts().Format == "raw" {
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
		if len(o.asked) == g.opts().RoomsPerConnection && g.exceeded(limitRooms, o.who.addr) {
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
		g.tokenRefused(o.who.addr, "ambiguous", err)
		return g.refuse(o, endTokenInvalid.because(err.Error()))
	}
	if token == "" {
		if o.format == formatV1 && g.tokenFrom(tokenMessage) {
			return nil
		}
		g.authFailed(o.who.addr, "missing")
		return g.refuse(o, endTokenMissing)
	}
	grant, err := g.verify(token)
	if err != nil {
		reason := reasonOf(err)
		e := refusal(err)
		g.tokenRefused(o.who.addr, reason, err)
		if reason == reasonUnavailable {
			return unavailable(e.label, e.text)
		}
		return g.refuse(o, e)
	}
	rooms, refused, ok := roomsAtConnect(grant, o.asked)
	if !ok {
		g.authFailed(o.who.addr, "room")
		return g.refuse(o, endRoomForbidden.because("the token does not allow room "+refused))
	}
	if len(rooms) > g.opts().RoomsPerConnection && g.exceeded(limitRooms, o.who.addr) {
		return g.refuse(o, endBadRequest.because(tooManyRooms))
	}
	o.grant, o.rooms = grant, rooms
	return nil
}

// refuse refuses for a reason that the client must see.
func (g *Gateway) refuse(o *offer, e ending) *httpRefusal {
	if g.opts().Reject == rejectClose {
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
