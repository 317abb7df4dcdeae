package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Issuer makes tokens. Its keys are shared secrets, or a set of public keys (RFC 7517, 5) at
// JWKSURL or where Discovery finds it: exactly one of the three.
type Issuer struct {
	Issuer string // what iss must be, to the byte; "" means that any, or none, will do, and is for an only issuer

	// Audience has what aud must name one of. Empty means that any, or none, will do: with
	// public keys AnyAudience must then say so, because such an issuer makes tokens for others
	// too, and each of these could let its users in here.
	Audience    []string
	AnyAudience bool

	// Secrets are shared secrets of at least 32 bytes. Each of them verifies, so that one
	// can be rotated: add the new one, let the tokens of the old one expire, remove it.
	Secrets [][]byte

	// JWKSURL is where the set of public keys is. A key of it without kid is used only while it
	// is the only one that fits a token; such an issuer cannot rotate without refusing tokens
	// for up to five minutes. It may have neither user nor fragment.
	JWKSURL string

	// Discovery finds the keys by the document at Issuer + "/.well-known/openid-configuration"
	// (OpenID Connect Discovery 1.0, 4), whose issuer must equal Issuer to the byte.
	Discovery bool

	// Algorithms are those allowed. nil means HS256, HS384 and HS512 with secrets, and all others
	// with public keys: RS256–512, PS256–512, ES256, ES384, ES512, EdDSA (Ed25519). A secret
	// serves only the algorithms whose hash is no longer than it is: 32, 48, 64 bytes (RFC 7518,
	// 3.2); a public key, those of its type and curve, or only its own alg if it has one.
	Algorithms []string

	Leeway time.Duration // by how much clocks may differ, for exp and nbf; 0 means not at all

	// InsecureHTTP allows http URLs, for JWKSURL and what Discovery reads. Whoever is on the way
	// can then put in keys of their own, and be anybody. Else all must be https.
	InsecureHTTP bool
}

// issuer is a checked Issuer. It never changes, but for what keys fetches.
type issuer struct {
	iss        string // "": any
	audience   []string
	algorithms []*algorithm
	leeway     time.Duration
	keys       keySource
}

// allowed returns the algorithm called name, or nil if i's tokens may not use it.
func (i *issuer) allowed(name string) *algorithm {
	at := slices.IndexFunc(i.algorithms, func(a *algorithm) bool { return a.name == name })
	if at < 0 {
		return nil
	}
	return i.algorithms[at]
}

func newIssuers(o Options) ([]*issuer, error) {
	if len(o.Issuers) == 0 {
		return nil, errors.New("option Issuers is empty: give at least one")
	}
	common, err := newFetching(o)
	errs := []error{err}
	var all []*issuer
	for n := range o.Issuers {
		option := fmt.Sprintf("option Issuers[%d]", n)
		i, err := newIssuer(option, &o.Issuers[n], common)
		errs = append(errs, err)
		if i.iss == "" && len(o.Issuers) > 1 {
			errs = append(errs, fmt.Errorf("%s.Issuer is empty beside others: tokens are told apart by it", option))
		} else if slices.ContainsFunc(all, func(other *issuer) bool { return other.iss == i.iss }) {
			errs = append(errs, fmt.Errorf("%s.Issuer %q is there twice: give the keys of both to one", option, i.iss))
		}
		all = append(all, i)
	}
	return all, errors.Join(errs...)
}

// newIssuer checks o, whose errors begin with option.
func newIssuer(option string, o *Issuer, common *fetching) (*issuer, error) {
	i := &issuer{iss: o.Issuer, audience: slices.Clone(o.Audience), leeway: o.Leeway}
	errs := o.check(option)
	possible := publicAlgorithms
	if len(o.Secrets) > 0 {
		possible = secretAlgorithms
	}
	chosen, wrong := chooseAlgorithms(option+".Algorithms", o.Algorithms, possible)
	i.algorithms, errs = chosen, append(errs, wrong...)

	if len(o.Secrets) > 0 {
		s, err := newSecrets(option+".Secrets", o.Secrets, i.algorithms)
		i.keys, errs = s, append(errs, err)
	} else if len(errs) == 0 {
		i.keys = newFetchedKeys(o, i.algorithms, common)
	}
	return i, errors.Join(errs...)
}

// check returns what is wrong with the plain settings of o.
func (o *Issuer) check(option string) (errs []error) {
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(option+format, args...))
	}
	if !validText(o.Issuer) {
		wrong(".Issuer is longer than 256 bytes or has a control character: no token can have it")
	}
	sources := 0
	for _, has := range []bool{len(o.Secrets) > 0, o.JWKSURL != "", o.Discovery} {
		if has {
			sources++
		}
	}
	if sources != 1 {
		wrong(" has %d sources of keys: give exactly one of Secrets, JWKSURL and Discovery", sources)
	}
	if o.JWKSURL != "" {
		if err := checkURL(o.JWKSURL, o.InsecureHTTP); err != nil {
			wrong(".JWKSURL %w", err)
		}
	}
	if o.Discovery {
		if err := checkURL(o.Issuer, o.InsecureHTTP); err != nil {
			wrong(".Issuer, for Discovery, %w", err)
		} else if strings.ContainsAny(o.Issuer, "?#") {
			wrong(".Issuer has a query or a fragment, which Discovery does not allow")
		}
	}
	if slices.Contains(o.Audience, "") {
		wrong(".Audience has an empty entry: remove it")
	}
	if len(o.Audience) > 0 && o.AnyAudience {
		wrong(" has Audience and AnyAudience: give one of them")
	}
	if len(o.Secrets) == 0 && len(o.Audience) == 0 && !o.AnyAudience {
		wrong(".Audience is empty: name it, or say AnyAudience to accept tokens that the issuer made for others")
	}
	if o.Leeway < 0 {
		wrong(".Leeway is %v: use 0 or more", o.Leeway)
	}
	return errs
}
