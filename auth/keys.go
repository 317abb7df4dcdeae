package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

const minSecret = 32 // bytes: the shortest that HS256 takes

// A key may verify tokens.
type key struct {
	// material is the jwk.Key of a secret, or an *rsa.PublicKey, *ecdsa.PublicKey or
	// ed25519.PublicKey. Never []byte, so that the library refuses a key of another kind than
	// the algorithm's: the bytes of a public key are no secret.
	material any

	name string // tells an operator which it is, and nothing secret

	kid   string // of a public key
	named bool   // whether it has a kid
}

// A keySource has an issuer's keys.
type keySource interface {
	// candidates returns the keys that may verify a token that says it was signed with alg, one
	// of the issuer's, and, if it is named, with the key called kid. If there are none, the
	// error says why: an *Error, or one that wraps ErrUnavailable. The slice is the source's.
	candidates(ctx context.Context, alg *algorithm, kid string, named bool) ([]key, error)

	// ready returns why there are no keys now, or nil.
	ready() error
}

// secrets are shared secrets, by the name of the algorithm they may verify.
type secrets map[string][]key

// newSecrets checks raw; its errors begin with option.
func newSecrets(option string, raw [][]byte, algorithms []*algorithm) (secrets, error) {
	var errs []error
	s := make(secrets)
	for i, secret := range raw {
		if len(secret) < minSecret {
			errs = append(errs, fmt.Errorf("%s[%d] has %d bytes: use at least %d random ones", option, i, len(secret), minSecret))
			continue
		}
		material, err := jwk.Import(bytes.Clone(secret))
		if err != nil {
			// The library's error is left out: it might quote the secret.
			errs = append(errs, fmt.Errorf("%s[%d] cannot be used as a key", option, i))
			continue
		}
		k := key{material: material, name: fmt.Sprintf("secret %d of %d", i+1, len(raw))}
		if !s.add(k, len(secret), algorithms) {
			errs = append(errs, fmt.Errorf("%s[%d] has %d bytes, too few for each of Algorithms: use at least 64", option, i, len(secret)))
		}
	}
	return s, errors.Join(errs...)
}

// add lets k serve those of algorithms for which size bytes are enough. It reports whether
// there is one.
func (s secrets) add(k key, size int, algorithms []*algorithm) bool {
	used := false
	for _, alg := range algorithms {
		if size >= alg.secret {
			s[alg.name] = append(s[alg.name], k)
			used = true
		}
	}
	return used
}

// candidates never waits. Secrets have no names: the kid is ignored.
func (s secrets) candidates(_ context.Context, alg *algorithm, _ string, _ bool) ([]key, error) {
	keys := s[alg.name]
	if len(keys) == 0 {
		return nil, errShortSecret // the algorithm itself is allowed, or we would not be asked
	}
	return keys, nil
}

func (s secrets) ready() error { return nil }
