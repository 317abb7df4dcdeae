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

	// All rooms in one slice, to be small. In this order: rooms to join at connect, exact names
	// of the rooms claim, what else may be joined, what may be published to.
	rooms                      []string
	autoEnd, namedEnd, joinEnd uint32
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

// grant checks the claims of a verified token and makes its Grant.
func (v *Verifier) grant(c claims, now time.Time) (*Grant, error) {
	expires, err := v.checkTimes(c, now)
	if err != nil {
		return nil, err
	}
	issuer, err := v.checkIssuer(c)
	if err != nil {
		return nil, err
	}
	if err := v.checkAudience(c); err != nil {
		return nil, err
	}
	subject, err := c.text("sub", errSub)
	if err != nil {
		return nil, err
	}
	id, err := c.text("jti", errJti)
	if err != nil {
		return nil, err
	}
	names, patterns, err := c.entries(v.roomsClaim, errRooms)
	if err != nil {
		return nil, err
	}
	publishNames, publishPatterns, err := c.entries(v.publishClaim, errPublish)
	if err != nil {
		return nil, err
	}

	auto := fillAll(v.auto, c)
	allow := fillAll(v.allow, c)
	publish := fillAll(v.publish, c)
	g := &Grant{
		Subject: subject,
		Issuer:  issuer,
		ID:      id,
		Expires: expires,
		rooms:   slices.Concat(auto, names, patterns, allow, publishNames, publishPatterns, publish),
	}
	g.autoEnd = uint32(len(auto))
	g.namedEnd = g.autoEnd + uint32(len(names))
	g.joinEnd = g.namedEnd + uint32(len(patterns)+len(allow))
	return g, nil
}

// checkTimes returns exp.
func (v *Verifier) checkTimes(c claims, now time.Time) (time.Time, error) {
	expires, ok, err := c.date("exp", errExp)
	if err != nil {
		return time.Time{}, err
	}
	if !ok {
		return time.Time{}, errNoExpiry
	}
	starts, ok, err := c.date("nbf", errNbf)
	if err != nil {
		return time.Time{}, err
	}
	if !now.Before(expires.Add(v.leeway)) {
		return time.Time{}, errExpired
	}
	if ok && now.Before(starts.Add(-v.leeway)) {
		return time.Time{}, errNotYetValid
	}
	return expires, nil
}

// checkIssuer returns iss.
func (v *Verifier) checkIssuer(c claims) (string, error) {
	issuer, err := c.text("iss", errIss)
	if err != nil || v.issuer == "" {
		return issuer, err
	}
	if issuer != v.issuer {
		return "", errIssuer
	}
	return v.issuer, nil // one copy for all grants
}

func (v *Verifier) checkAudience(c claims) error {
	var audience []string
	if aud, ok := c["aud"]; ok {
		if audience, ok = list(aud, func(s string) []string { return []string{s} }); !ok {
			return errAud
		}
	}
	if len(v.audience) == 0 {
		return nil
	}
	if !slices.ContainsFunc(audience, func(s string) bool { return slices.Contains(v.audience, s) }) {
		return errAudience
	}
	return nil
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
