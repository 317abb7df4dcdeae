package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxKeys bounds a key set.
const maxKeys = 100

// A keySet is what an issuer published at one time. It never changes.
type keySet struct {
	asked time.Time // when it was asked for
	size  int       // keys of use

	named map[slot][]key   // by kid and algorithm; more than one are not told apart
	byAlg map[string][]key // by algorithm
}

type slot struct{ kid, alg string }

// parseKeySet reads a JWK Set (RFC 7517, 5), for the algorithms allowed. One bad key does not
// lose the others: warnings says what is wrong with which.
func parseKeySet(data []byte, allowed []*algorithm) (set *keySet, warnings []string, err error) {
	var document map[string]json.RawMessage // not a struct, whose names would match in any case
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, nil, errors.New("the answer is not a JSON object (a web page?)")
	}
	var keys []json.RawMessage
	if err := json.Unmarshal(document["keys"], &keys); err != nil || keys == nil {
		return nil, nil, errors.New("the answer is not a JWK Set: it has no array called keys")
	}
	if len(keys) > maxKeys {
		return nil, nil, fmt.Errorf("the JWK Set has %d keys: %d are accepted", len(keys), maxKeys)
	}

	set = &keySet{named: make(map[slot][]key), byAlg: make(map[string][]key)}
	for i, raw := range keys {
		k, err := parseKey(raw)
		if errors.Is(err, errNotForUs) {
			continue
		}
		if err == nil {
			err = set.add(k, allowed)
		}
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("key %d %v", i+1, err))
		}
	}
	return set, warnings, nil
}

// add lets k serve those of allowed that it may. Its error is a warning.
func (s *keySet) add(k publicKey, allowed []*algorithm) (warning error) {
	used := false
	for _, alg := range allowed {
		if alg.fits == nil || !alg.fits(k.material) || k.alg != "" && k.alg != alg.name {
			continue
		}
		used = true
		s.byAlg[alg.name] = append(s.byAlg[alg.name], k.key)
		if !k.named {
			continue
		}
		at := slot{k.kid, alg.name}
		s.named[at] = append(s.named[at], k.key)
		if len(s.named[at]) > 1 {
			warning = fmt.Errorf("has the kid of another, %s: tokens of either are refused", quote(k.kid))
		}
	}
	if used {
		s.size++
	}
	if k.exposed && warning == nil {
		warning = errors.New("is published with its private part: anybody can make tokens with it; replace it")
	}
	return warning
}

// find returns the only key that fits, or else an *Error.
func (s *keySet) find(alg *algorithm, kid string, named bool) ([]key, error) {
	all := s.byAlg[alg.name]
	if named {
		switch keys := s.named[slot{kid, alg.name}]; {
		case len(keys) == 1:
			return keys, nil
		case len(keys) > 1:
			return nil, errTwoKeys
		case len(all) == 1 && !all[0].named:
			return all, nil // a key without kid, and nothing to mistake it for
		}
		return nil, errUnknownKey
	}
	// RFC 7517, 4.5 tells keys apart by kid. Where there is nothing to tell apart it may be missing.
	if len(all) != 1 {
		return nil, errNoKid
	}
	return all, nil
}
