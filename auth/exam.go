package auth

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// maxToken bounds, in bytes, what a stranger can make us parse.
const maxToken = 8192

// An exam is the verification of one token. Each check uses what those before it found.
type exam struct {
	v     *Verifier
	token string
	now   time.Time

	jwsToken            // of the form
	iss      string     // of the claims; believed only when the signature is
	issuer   *issuer    // whom iss chose
	alg      *algorithm // whom the header chose among the issuer's
	keys     []key      // whom the kid chose among the issuer's
	key      *key       // the one that verifies; nil: the claims are not to be believed
	expires  time.Time
	starts   time.Time // zero: no nbf
	subject  string
	id       string
	grant    *Grant

	refused bool // by a check before; only Explain goes on after that
}

// A check is one step of an exam.
type check struct {
	name string
	run  func(*exam, context.Context) error

	// What follows is for Explain, which goes on after a refusal.
	ready  func(*exam) bool   // whether the steps before have left it something to look at; nil: always
	end    bool               // without it, nothing of the token can be read
	claims bool               // tells of claims, which may not be believed
	words  func(*exam) string // what was found, for an operator; "" if there is nothing to add to the error
}

// checks are all that a token must pass, in order, for Verify and for Explain alike.
var checks = []check{
	{name: "size", run: (*exam).checkSize, end: true, words: (*exam).sizeWords},
	{name: "form", run: (*exam).checkForm, end: true, words: (*exam).formWords},
	{name: "header", run: (*exam).checkHeader, words: (*exam).headerWords},
	{name: "issuer", run: (*exam).checkIssuer, words: (*exam).issuerWords},
	{name: "algorithm", run: (*exam).checkAlgorithm, words: (*exam).algorithmWords, ready: (*exam).hasIssuer},
	{name: "key", run: (*exam).checkKey, words: (*exam).keyWords, ready: (*exam).hasAlgorithm},
	{name: "signature", run: (*exam).checkSignature, words: (*exam).signatureWords, ready: (*exam).hasKeys},
	{name: "time", run: (*exam).checkTimes, words: (*exam).timeWords, claims: true},
	{name: "audience", run: (*exam).checkAudience, words: (*exam).audienceWords, ready: (*exam).hasIssuer, claims: true},
	{name: "subject", run: (*exam).checkNames, words: (*exam).subjectWords, claims: true},
	{name: "grant", run: (*exam).checkRooms, words: (*exam).grantWords, claims: true},
	{name: "revoked", run: (*exam).checkRevoked, words: (*exam).revokedWords, ready: (*exam).isGood},
}

func (x *exam) hasIssuer() bool    { return x.issuer != nil }
func (x *exam) hasAlgorithm() bool { return x.alg != nil }
func (x *exam) hasKeys() bool      { return len(x.keys) > 0 }
func (x *exam) isGood() bool       { return !x.refused }

func (x *exam) checkSize(context.Context) error {
	if len(x.token) > maxToken {
		return errTooLong
	}
	return nil
}

func (x *exam) checkForm(context.Context) (err error) {
	x.jwsToken, err = parseToken(x.token)
	return err
}

func (x *exam) checkHeader(context.Context) error { return checkHeader(x.header) }

// checkIssuer reads iss, which is not verified yet, only to choose among the configured issuers.
func (x *exam) checkIssuer(context.Context) (err error) {
	if x.iss, err = x.payload.text("iss", errIss); err != nil {
		return err
	}
	if x.issuer = x.v.issuerOf(x.iss); x.issuer == nil {
		return errIssuer
	}
	if x.issuer.iss != "" {
		x.iss = x.issuer.iss // one copy for all grants
	}
	return nil
}

func (x *exam) checkAlgorithm(context.Context) error {
	name, _ := x.header["alg"].(string)
	if x.alg = x.issuer.allowed(name); x.alg == nil {
		return errAlgorithm
	}
	return nil
}

func (x *exam) checkKey(ctx context.Context) (err error) {
	kid, named, err := x.header.kid()
	if err != nil {
		return err
	}
	x.keys, err = x.issuer.keys.candidates(ctx, x.alg, kid, named)
	return err
}

func (x *exam) checkSignature(context.Context) error {
	for i := range x.keys {
		if x.verify(x.alg, x.keys[i].material) {
			x.key = &x.keys[i]
			return nil
		}
	}
	return errSignature
}

func (x *exam) checkTimes(context.Context) error {
	var ok bool
	var err error
	if x.expires, ok, err = x.payload.date("exp", errExp); err != nil {
		return err
	}
	if !ok {
		return errNoExpiry
	}
	if x.starts, ok, err = x.payload.date("nbf", errNbf); err != nil {
		return err
	}
	if !x.now.Before(x.expires.Add(x.leeway())) {
		return errExpired
	}
	if ok && x.now.Before(x.starts.Add(-x.leeway())) {
		return errNotYetValid
	}
	return nil
}

func (x *exam) leeway() time.Duration {
	if x.issuer == nil {
		return 0
	}
	return x.issuer.leeway
}

func (x *exam) checkAudience(context.Context) error {
	audience, err := x.payload.audience()
	if err != nil || len(x.issuer.audience) == 0 {
		return err
	}
	if !slices.ContainsFunc(audience, func(s string) bool { return slices.Contains(x.issuer.audience, s) }) {
		return errAudience
	}
	return nil
}

func (x *exam) checkNames(context.Context) (err error) {
	if x.subject, err = x.payload.text("sub", errSub); err != nil {
		return err
	}
	x.id, err = x.payload.text("jti", errJti)
	return err
}

func (x *exam) checkRooms(context.Context) (err error) {
	x.grant, err = x.newGrant()
	return err
}

// checkRevoked comes last: it is for tokens that are good otherwise, so that nobody without one
// can make us ask.
func (x *exam) checkRevoked(ctx context.Context) error {
	ids := x.ids()
	if x.v.revoked == nil || len(ids) == 0 {
		return nil
	}
	revoked, err := x.v.revoked(ctx, ids...)
	if err != nil {
		return fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrRevokedUnknown, err)
	}
	if revoked {
		return errRevoked
	}
	return nil
}

// ids returns jti and sub, those that there are.
func (x *exam) ids() []string {
	return slices.DeleteFunc([]string{x.id, x.subject}, func(s string) bool { return s == "" })
}
