package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
)

// An algorithm signs tokens (RFC 7518, 3.1; RFC 8037, 3.1).
type algorithm struct {
	name     string
	secret   int                // bytes of its hash, and so of its shortest secret; 0: it needs a public key
	fits     func(key any) bool // whether a public key is of its kind; nil: it needs a secret
	verifier jws.Verifier2      // the one that jws.Verify calls
}

// algorithms are all there are, by name.
var algorithms = func() map[string]*algorithm {
	all := make(map[string]*algorithm)
	for _, a := range []*algorithm{
		{name: "HS256", secret: 32}, {name: "HS384", secret: 48}, {name: "HS512", secret: 64},
		{name: "RS256", fits: isRSA}, {name: "RS384", fits: isRSA}, {name: "RS512", fits: isRSA},
		{name: "PS256", fits: isRSA}, {name: "PS384", fits: isRSA}, {name: "PS512", fits: isRSA},
		{name: "ES256", fits: isOn(elliptic.P256())},
		{name: "ES384", fits: isOn(elliptic.P384())},
		{name: "ES512", fits: isOn(elliptic.P521())},
		{name: "EdDSA", fits: isEd25519},
	} {
		alg, known := jwa.LookupSignatureAlgorithm(a.name)
		verifier, err := jws.VerifierFor(alg)
		if !known || err != nil {
			panic(fmt.Sprintf("auth: no verifier of %s: %v", a.name, err)) // the library knows them all
		}
		a.verifier = verifier
		all[a.name] = a
	}
	return all
}()

var (
	secretAlgorithms = []string{"HS256", "HS384", "HS512"}
	publicAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

func isRSA(key any) bool {
	_, ok := key.(*rsa.PublicKey)
	return ok
}

// isOn is true of public keys on curve: each ES algorithm has its own (RFC 7518, 3.4).
func isOn(curve elliptic.Curve) func(any) bool {
	return func(key any) bool {
		public, ok := key.(*ecdsa.PublicKey)
		return ok && public.Curve == curve
	}
}

func isEd25519(key any) bool {
	_, ok := key.(ed25519.PublicKey)
	return ok
}

// chooseAlgorithms returns those of names, which must be among possible, or all of them if
// names is nil. Its errors begin with option.
func chooseAlgorithms(option string, names, possible []string) (chosen []*algorithm, errs []error) {
	if names == nil {
		names = possible
	}
	if len(names) == 0 {
		errs = append(errs, fmt.Errorf("%s is empty: leave it nil, or name at least one", option))
	}
	for _, name := range names {
		if !slices.Contains(possible, name) {
			errs = append(errs, fmt.Errorf("%s has %q: with these keys use %s", option, name, strings.Join(possible, ", ")))
			continue
		}
		if a := algorithms[name]; !slices.Contains(chosen, a) {
			chosen = append(chosen, a)
		}
	}
	return chosen, errs
}
