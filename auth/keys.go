package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

const minSecret = 32 // bytes: the shortest that HS256 takes

var hmacAlgorithms = []string{"HS256", "HS384", "HS512"}

// hmacSize is the length of each algorithm's hash, in bytes, and so of its shortest secret.
var hmacSize = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

// A keySource finds the keys that may verify a token signed with alg, which is an allowed one.
// If there are none, its error says why. Keys are jwk.Key, never []byte, so that the library
// refuses a key of another kind than the algorithm's: the bytes of a public key are no secret.
type keySource interface {
	candidates(ctx context.Context, alg jwa.SignatureAlgorithm) ([]jwk.Key, error)
}

// secrets are shared secrets, by the name of the algorithm they may verify.
type secrets map[string][]jwk.Key

func newSecrets(raw [][]byte, algorithms []string) (secrets, error) {
	var errs []error
	if len(algorithms) == 0 {
		errs = append(errs, errors.New("option Algorithms is empty: leave it nil, or name at least one"))
	}
	for _, alg := range algorithms {
		if _, known := hmacSize[alg]; !known {
			errs = append(errs, fmt.Errorf("option Algorithms has %q: use %s", alg, strings.Join(hmacAlgorithms, ", ")))
		}
	}
	if len(raw) == 0 {
		errs = append(errs, errors.New("option Secrets is empty: give at least one"))
	}

	s := make(secrets)
	for i, secret := range raw {
		if len(secret) < minSecret {
			errs = append(errs, fmt.Errorf("option Secrets[%d] has %d bytes: use at least %d random ones", i, len(secret), minSecret))
			continue
		}
		key, err := jwk.Import(bytes.Clone(secret))
		if err != nil {
			// The library's error is left out: it might quote the secret.
			errs = append(errs, fmt.Errorf("option Secrets[%d] cannot be used as a key", i))
			continue
		}
		if !s.add(key, len(secret), algorithms) {
			errs = append(errs, fmt.Errorf("option Secrets[%d] has %d bytes, too few for each of Algorithms: use at least 64", i, len(secret)))
		}
	}
	return s, errors.Join(errs...)
}

// add lets key serve those of algorithms for which size bytes are enough. It reports whether
// there is one.
func (s secrets) add(key jwk.Key, size int, algorithms []string) bool {
	used := false
	for _, alg := range algorithms {
		if size >= hmacSize[alg] {
			s[alg] = append(s[alg], key)
			used = true
		}
	}
	return used
}

// candidates never waits.
func (s secrets) candidates(_ context.Context, alg jwa.SignatureAlgorithm) ([]jwk.Key, error) {
	keys := s[alg.String()]
	if len(keys) == 0 {
		return nil, errShortSecret // the algorithm itself is allowed, or we would not be asked
	}
	return keys, nil
}
