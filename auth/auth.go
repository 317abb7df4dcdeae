// Package auth tells, from a token, who is asking, until when, and which rooms they may
// join or publish to. It knows nothing of WebSockets or Redis, and of HTTP only how keys are
// fetched.
//
// A token is a JWT (RFC 7519) in the compact form of a JWS (RFC 7515). Key invariants:
//
//   - Nothing of a token is believed before its signature is verified. Its iss, alg and kid do
//     no more than choose: among the configured issuers, their algorithms and their keys. Keys
//     that a token brings along or points to (jwk, jku, x5c, x5u) are never used, and no URL is
//     ever built from a token.
//   - The keys of one issuer never verify the tokens of another.
//   - A key serves the algorithms of its own kind only. A public key is never a secret, and
//     what a key set publishes is never one either.
//   - There is one spelling of what is signed: padding, spaces, stray bits and members named
//     twice are refused, so that no other reader of the same token can read it otherwise. (An
//     ECDSA signature has a twin that is as good; so a token's text is no name for it. jti is.)
//   - What is not understood grants nothing.
//   - An error holds no part of a token, a claim or a secret.
package auth

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrUnavailable is wrapped by the errors that say nothing of the token, but that it cannot be
// verified now: its issuer's keys, or who is revoked, could not be had.
var ErrUnavailable = errors.New("tokens cannot be verified now")

// ErrRevokedUnknown is wrapped, beside ErrUnavailable, where Options.Revoked could not say who is
// revoked: the keys are there.
var ErrRevokedUnknown = errors.New("asking who is revoked")

// maxTemplates bounds each of the lists of templates; with maxEntries it bounds a Grant.
const maxTemplates = 1000

// Options say which tokens are believed and what they grant.
//
// A claim path such as "org.id" is first looked up as one name, dots and all (so that
// "https://example.com/rooms" works), and then as names of nested objects.
//
// A template is a room name in which {path} stands for a claim, such as "user:{sub}".
// The claim must be a string or a number written as an integer. If it is missing, empty, or
// has a byte that is outside the room alphabet or a colon, the template yields nothing. In
// AllowRooms and PublishRooms a template may be a pattern, "org:{org.id}:*"; Grant says how
// patterns match. Each list has at most 1000.
type Options struct {
	Issuers []Issuer // whose tokens are believed; at least one

	RoomsClaim   string // path of the rooms to join; "" means "rooms"
	PublishClaim string // path of the rooms to publish to; "" means "publish"

	AutoRooms    []string // templates of the rooms that everybody joins at connect
	AllowRooms   []string // templates of rooms that may be joined beside the token's own
	PublishRooms []string // templates of rooms that may be published to beside the token's own

	// Revoked reports whether one of ids is revoked. It is asked with the jti and the sub, those
	// that there are, of a token that is good otherwise. Its error refuses with ErrUnavailable,
	// and is wrapped, so it should hold no id. nil means that nothing is revoked.
	Revoked func(ctx context.Context, ids ...string) (bool, error)

	// KeysStale is how long fetched keys are used after the last fetch that succeeded. It is how
	// long an outage of the issuer goes unnoticed, and how long a withdrawn key may be used by
	// whoever can cut us off from the issuer. 0 means 24 hours.
	KeysStale time.Duration

	RootCAs *x509.CertPool        // who may vouch for the servers of keys; nil means whom the system trusts
	Log     *slog.Logger          // of key fetches, never of tokens; nil means none
	Metrics prometheus.Registerer // of key fetches, never of tokens; nil means none
}

// A Verifier turns tokens into grants. It may be used by many goroutines. For new secrets or
// rooms make a new one, let it Run, and use it once it is Ready.
type Verifier struct {
	issuers []*issuer // at least one; if its iss is "", there is no other

	roomsClaim, publishClaim string
	auto, allow, publish     []template
	revoked                  func(context.Context, ...string) (bool, error)

	started atomic.Bool // Run was called
}

// New checks o and returns its Verifier. Its error joins all that is wrong with o. It fetches
// nothing: Run does.
func New(o Options) (*Verifier, error) {
	v := &Verifier{
		roomsClaim:   cmp.Or(o.RoomsClaim, "rooms"),
		publishClaim: cmp.Or(o.PublishClaim, "publish"),
		revoked:      o.Revoked,
	}
	var errIssuers, errAuto, errAllow, errSend error
	v.issuers, errIssuers = newIssuers(o)
	v.auto, errAuto = parseTemplates("AutoRooms", o.AutoRooms, ValidRoom)
	v.allow, errAllow = parseTemplates("AllowRooms", o.AllowRooms, validEntry)
	v.publish, errSend = parseTemplates("PublishRooms", o.PublishRooms, validEntry)

	if err := errors.Join(errIssuers, v.checkPaths(), errAuto, errAllow, errSend); err != nil {
		return nil, err
	}
	return v, nil
}

// checkPaths joins what is wrong with the paths of claims.
func (v *Verifier) checkPaths() error {
	var errs []error
	if !validPath(v.roomsClaim) {
		errs = append(errs, fmt.Errorf("option RoomsClaim %q has an empty name between dots: write it like %q", v.roomsClaim, "app.rooms"))
	}
	if !validPath(v.publishClaim) {
		errs = append(errs, fmt.Errorf("option PublishClaim %q has an empty name between dots: write it like %q", v.publishClaim, "app.publish"))
	}
	return errors.Join(errs...)
}

// Run fetches the issuers' keys and keeps them fresh until ctx ends, and then returns nil. With
// shared secrets alone it only waits. It may be called once.
func (v *Verifier) Run(ctx context.Context) error {
	if v.started.Swap(true) {
		return errors.New("auth: Run was called before")
	}
	var own sync.WaitGroup // one goroutine for each issuer that has keys to fetch; ended by ctx
	for _, i := range v.issuers {
		if fetched, ok := i.keys.(*fetchedKeys); ok {
			own.Go(func() { fetched.run(ctx) })
		}
	}
	<-ctx.Done()
	own.Wait()
	return nil
}

// Ready returns nil if the tokens of each issuer can be verified now, or else whose cannot and
// why: the keys were never fetched, are too old, or none of them is of use. It never waits.
func (v *Verifier) Ready() error {
	var errs []error
	for _, i := range v.issuers {
		if err := i.keys.ready(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Verify returns what token grants now. An *Error refuses the token; any other error wraps
// ErrUnavailable. It waits, while ctx allows, for the issuer's keys if they lack the token's,
// and for Revoked.
func (v *Verifier) Verify(ctx context.Context, token string) (*Grant, error) {
	x := exam{v: v, token: token, now: time.Now()}
	for i := range checks {
		if err := checks[i].run(&x, ctx); err != nil {
			return nil, err
		}
	}
	return x.grant, nil
}

// issuerOf returns the issuer configured for iss, or nil.
func (v *Verifier) issuerOf(iss string) *issuer {
	if v.issuers[0].iss == "" {
		return v.issuers[0] // the only one, of any iss
	}
	i := slices.IndexFunc(v.issuers, func(i *issuer) bool { return i.iss == iss })
	if i < 0 {
		return nil
	}
	return v.issuers[i]
}
