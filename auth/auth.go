// Package auth tells, from a token, who is asking, until when, and which rooms they may
// join or publish to. It knows nothing of HTTP, WebSockets or Redis.
//
// A token is a JWT (RFC 7519) in the compact form of a JWS (RFC 7515). Key invariants:
//
//   - Nothing of a token is believed before its signature is verified, but for the header's
//     alg, which only chooses among the keys that the operator gave. Keys that a token
//     brings along or points to (jwk, jku, x5c, x5u) are never used and never fetched.
//   - There is one spelling of a token: padding, spaces, stray bits and members named twice
//     are refused, so that no other reader of the same token can read it otherwise.
//   - What is not understood grants nothing.
//   - An error holds no part of a token, a claim or a secret.
package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxToken bounds, in bytes, what a stranger can make us parse.
const maxToken = 8192

// Options say which tokens are believed and what they grant.
//
// A claim path such as "org.id" is first looked up as one name, dots and all (so that
// "https://example.com/rooms" works), and then as names of nested objects.
//
// A template is a room name in which {path} stands for a claim, such as "user:{sub}".
// The claim must be a string or a number written as an integer. If it is missing, empty, or
// has a byte that is outside the room alphabet or a colon, the template yields nothing. In
// AllowRooms and PublishRooms a template may be a pattern, "org:{org.id}:*"; Grant says how
// patterns match.
type Options struct {
	// Secrets are shared secrets of at least 32 bytes. Each of them verifies, so that one
	// can be rotated: add the new one, let the tokens of the old one expire, remove it.
	Secrets [][]byte

	// Algorithms are those allowed; nil means HS256, HS384 and HS512. A secret serves only
	// the algorithms whose hash is no longer than it is: 32, 48, 64 bytes (RFC 7518, 3.2).
	Algorithms []string

	Issuer   string        // what iss must be; "" means that any, or none, will do
	Audience []string      // aud must name one of them; empty means that any, or none, will do
	Leeway   time.Duration // by how much clocks may differ, for exp and nbf; 0 means not at all

	RoomsClaim   string // path of the rooms to join; "" means "rooms"
	PublishClaim string // path of the rooms to publish to; "" means "publish"

	AutoRooms    []string // templates of the rooms that everybody joins at connect
	AllowRooms   []string // templates of rooms that may be joined beside the token's own
	PublishRooms []string // templates of rooms that may be published to beside the token's own
}

// A Verifier turns tokens into grants. It never changes and may be used by many goroutines;
// for new secrets or rooms make a new one.
type Verifier struct {
	keys       keySource
	algorithms []string

	issuer   string
	audience []string
	leeway   time.Duration

	roomsClaim, publishClaim string
	auto, allow, publish     []template
}

// New checks o and returns its Verifier. Its error joins all that is wrong with o.
func New(o Options) (*Verifier, error) {
	v := &Verifier{
		algorithms:   slices.Clone(o.Algorithms),
		issuer:       o.Issuer,
		audience:     slices.Clone(o.Audience),
		leeway:       o.Leeway,
		roomsClaim:   cmp.Or(o.RoomsClaim, "rooms"),
		publishClaim: cmp.Or(o.PublishClaim, "publish"),
	}
	if o.Algorithms == nil {
		v.algorithms = hmacAlgorithms
	}
	secrets, errKeys := newSecrets(o.Secrets, v.algorithms)
	v.keys = secrets

	var errAuto, errAllow, errSend error
	v.auto, errAuto = parseTemplates("AutoRooms", o.AutoRooms, ValidRoom)
	v.allow, errAllow = parseTemplates("AllowRooms", o.AllowRooms, validEntry)
	v.publish, errSend = parseTemplates("PublishRooms", o.PublishRooms, validEntry)

	if err := errors.Join(errKeys, v.check(), errAuto, errAllow, errSend); err != nil {
		return nil, err
	}
	return v, nil
}

// check joins what is wrong with the plain settings.
func (v *Verifier) check() error {
	var errs []error
	if slices.Contains(v.audience, "") {
		errs = append(errs, errors.New("option Audience has an empty entry: remove it, or leave Audience empty to accept any"))
	}
	if v.leeway < 0 {
		errs = append(errs, fmt.Errorf("option Leeway is %v: use 0 or more", v.leeway))
	}
	if !validPath(v.roomsClaim) {
		errs = append(errs, fmt.Errorf("option RoomsClaim %q has an empty name between dots: write it like %q", v.roomsClaim, "app.rooms"))
	}
	if !validPath(v.publishClaim) {
		errs = append(errs, fmt.Errorf("option PublishClaim %q has an empty name between dots: write it like %q", v.publishClaim, "app.publish"))
	}
	return errors.Join(errs...)
}

// Verify returns what token grants now. Each refusal is an *Error. ctx bounds the search for
// keys; shared secrets are at hand.
func (v *Verifier) Verify(ctx context.Context, token string) (*Grant, error) {
	if len(token) > maxToken {
		return nil, errTooLong
	}
	t, err := parseToken(token, v.algorithms)
	if err != nil {
		return nil, err
	}
	if err := t.verify(ctx, v.keys); err != nil {
		return nil, err
	}
	c, err := decodeObject(t.payload)
	if err != nil {
		return nil, err
	}
	return v.grant(c, time.Now())
}
