package auth

import (
	"slices"
	"strings"
	"time"
)

// A Grant is what a token grants. It never changes, may be used by many goroutines, and keeps
// nothing of the token alive: each live connection has one, so it is small.
//
// The entries of the rooms and publish claims, and the rooms of the operator's templates, are
// room names or patterns. In a pattern, * stands for one or more bytes without a colon, and **
// for one or more bytes of any kind; they may stand anywhere in it, at most eight times. An entry
// of a claim that is neither a name nor a pattern, or has more than 128 bytes, grants nothing.
type Grant struct {
	Subject string    // sub; "" if the token has none
	Issuer  string    // iss; "" if the token has none
	ID      string    // jti; "" if the token has none
	Expires time.Time // exp, without the leeway: it may have passed by so much

	Leeway time.Duration // of the issuer's clock: until Expires + Leeway the token is good

	// All rooms in one slice, to be small. In this order: rooms to join at connect, exact names
	// of the rooms claim, what else may be joined, what may be published to.
	// maxEntries and maxTemplates make sure that 16 bits are enough.
	rooms                      []string
	autoEnd, namedEnd, joinEnd uint16
}

// Auto returns the rooms to join at connect, whatever is asked for. The slice is the grant's.
func (g *Grant) Auto() []string { return g.rooms[:g.autoEnd:g.autoEnd] }

// Named returns the exact names in the rooms claim, in its order, to join if the request names
// none. A room may be in Auto too. The slice is the grant's.
func (g *Grant) Named() []string { return g.rooms[g.autoEnd:g.namedEnd:g.namedEnd] }

// MayJoin reports whether the rooms claim, AllowRooms or AutoRooms allow to join room.
func (g *Grant) MayJoin(room string) bool {
	return ValidRoom(room) && matchAny(g.rooms[:g.joinEnd], room)
}

// MayPublish reports whether the publish claim or PublishRooms allow to publish to room.
func (g *Grant) MayPublish(room string) bool {
	return ValidRoom(room) && matchAny(g.rooms[g.joinEnd:], room)
}

// newGrant makes the Grant of what the checks have found.
func (x *exam) newGrant() (*Grant, error) {
	names, patterns, err := x.payload.entries(x.v.roomsClaim, errRooms)
	if err != nil {
		return nil, err
	}
	publishNames, publishPatterns, err := x.payload.entries(x.v.publishClaim, errPublish)
	if err != nil {
		return nil, err
	}
	auto := fillAll(x.v.auto, x.payload)
	allow := fillAll(x.v.allow, x.payload)
	publish := fillAll(x.v.publish, x.payload)
	g := &Grant{
		Subject: x.subject,
		Issuer:  x.iss,
		ID:      x.id,
		Expires: x.expires,
		Leeway:  x.leeway(),
		rooms:   slices.Concat(auto, names, patterns, allow, publishNames, publishPatterns, publish),
	}
	g.autoEnd = uint16(len(auto))
	g.namedEnd = g.autoEnd + uint16(len(names))
	g.joinEnd = g.namedEnd + uint16(len(patterns)+len(allow))
	return g, nil
}

// entries returns the names and the patterns of the claim at path, each once. Missing means none.
// If it is not a list, the error is bad.
func (c claims) entries(path string, bad *Error) (names, patterns []string, err error) {
	v, ok := c.lookup(path)
	if !ok {
		return nil, nil, nil
	}
	all, ok := list(v, func(s string) []string { return strings.Split(s, " ") })
	if !ok {
		return nil, nil, bad
	}
	if len(all) > maxEntries {
		return nil, nil, errEntries
	}
	for _, entry := range all {
		switch {
		case ValidRoom(entry):
			if !slices.Contains(names, entry) {
				names = append(names, strings.Clone(entry))
			}
		case validPattern(entry):
			if !slices.Contains(patterns, entry) {
				patterns = append(patterns, strings.Clone(entry))
			}
		}
	}
	return names, patterns, nil
}
