package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// setOf parses a key set for all algorithms.
func setOf(t *testing.T, keys ...string) (*keySet, []string) {
	t.Helper()
	allowed, _ := chooseAlgorithms("", nil, publicAlgorithms)
	set, warnings, err := parseKeySet([]byte(jwks(keys...)), allowed)
	if err != nil {
		t.Fatal(err)
	}
	return set, warnings
}

// usable are the algorithms that set has a key called kid for.
func usable(set *keySet, kid string) (all []string) {
	for _, name := range publicAlgorithms {
		if keys, err := set.find(algorithms[name], kid, true); err == nil && len(keys) == 1 {
			all = append(all, name)
		}
	}
	return all
}

func TestKeyServesOnlyAlgorithmsOfItsKind(t *testing.T) {
	rs := publicAlgorithms[:6]
	for name, tc := range map[string]struct {
		key  string
		want []string
	}{
		"RSA":                  {jwkOf(rsaOne(), `"kid":"k"`), rs},
		"RSA, alg":             {jwkOf(rsaOne(), `"kid":"k","alg":"PS384"`), []string{"PS384"}},
		"RSA, use sig":         {jwkOf(rsaOne(), `"kid":"k","use":"sig"`), rs},
		"RSA, key_ops":         {jwkOf(rsaOne(), `"kid":"k","key_ops":["sign","verify"]`), rs},
		"RSA, 2048 bits":       {shortRSA(2048, `"kid":"k"`), rs},
		"P-256":                {jwkOf(p256(), `"kid":"k"`), []string{"ES256"}},
		"P-384":                {jwkOf(p384(), `"kid":"k"`), []string{"ES384"}},
		"P-521":                {jwkOf(p521(), `"kid":"k"`), []string{"ES512"}},
		"Ed25519":              {jwkOf(ed(), `"kid":"k"`), []string{"EdDSA"}},
		"Ed25519, alg":         {jwkOf(ed(), `"kid":"k","alg":"EdDSA"`), []string{"EdDSA"}},
		"members nobody knows": {jwkOf(ed(), `"kid":"k","x5c":[1],"nbf":"x","iat":{}`), []string{"EdDSA"}},
		"kid empty":            {jwkOf(ed(), `"kid":""`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			set, warnings := setOf(t, tc.key)
			if got := usable(set, "k"); !slices.Equal(got, tc.want) || len(warnings) > 0 {
				t.Errorf("serves %v, want %v; warnings %v", got, tc.want, warnings)
			}
		})
	}
}

func TestKeysThatAreIgnored(t *testing.T) {
	x, y, _ := strings.Cut(strings.SplitN(jwkOf(p256(), `"kid":"k"`), `"x":`, 2)[1], `,"y":`)
	y = strings.SplitN(y, ",", 2)[0]
	ec := func(crv, x, y string) string {
		return fmt.Sprintf(`{"kty":"EC","kid":"k","crv":%q,"x":%s,"y":%s}`, crv, x, y)
	}
	zero := func(n int) string { return `"` + encode(strings.Repeat("\x00", n)) + `"` }
	for name, tc := range map[string]struct{ key, warning string }{
		"use enc":               {jwkOf(rsaOne(), `"kid":"k","use":"enc","alg":"RSA-OAEP"`), ""},
		"use not a string":      {jwkOf(rsaOne(), `"kid":"k","use":["sig"]`), ""},
		"use null":              {jwkOf(rsaOne(), `"kid":"k","use":null`), ""},
		"key_ops to sign":       {jwkOf(rsaOne(), `"kid":"k","key_ops":["sign"]`), ""},
		"key_ops empty":         {jwkOf(rsaOne(), `"kid":"k","key_ops":[]`), ""},
		"key_ops a string":      {jwkOf(rsaOne(), `"kid":"k","key_ops":"verify"`), ""},
		"alg RSA-OAEP":          {jwkOf(rsaOne(), `"kid":"k","alg":"RSA-OAEP"`), ""},
		"alg RS1":               {jwkOf(rsaOne(), `"kid":"k","alg":"RS1"`), ""},
		"alg null":              {jwkOf(rsaOne(), `"kid":"k","alg":null`), ""},
		"alg none":              {jwkOf(rsaOne(), `"kid":"k","alg":"none"`), ""},
		"kty of tomorrow":       {`{"kty":"AKP","kid":"k","alg":"ML-DSA-44","pub":"AA"}`, ""},
		"secp256k1":             {ec("secp256k1", x, y), ""},
		"X25519":                {`{"kty":"OKP","crv":"X25519","kid":"k","x":"` + encode(secretOf(32)) + `"}`, ""},
		"no kty":                {`{"kid":"k"}`, ""},
		"alg HS256 of RSA":      {jwkOf(rsaOne(), `"kid":"k","alg":"HS256"`), "alg that is not for its kty"},
		"alg ES256 of RSA":      {jwkOf(rsaOne(), `"kid":"k","alg":"ES256"`), "alg that is not for its kty"},
		"alg ES384 of P-256":    {jwkOf(p256(), `"kid":"k","alg":"ES384"`), "alg that is not for its kty"},
		"oct":                   {`{"kty":"oct","kid":"k","k":"` + encode(secretOf(64)) + `"}`, "is a secret"},
		"oct, alg RS256":        {`{"kty":"oct","kid":"k","alg":"RS256","k":"` + encode(secretOf(64)) + `"}`, "is a secret"},
		"RSA, 1024 bits":        {shortRSA(1024, `"kid":"k"`), "1024 bits"},
		"RSA, 2047 bits":        {shortRSA(2047, `"kid":"k"`), "2047 bits"},
		"RSA, 16384 bits":       {shortRSA(16384, `"kid":"k"`), "16384 bits"},
		"RSA, e 1":              {strings.Replace(jwkOf(rsaOne(), `"kid":"k"`), `"AQAB"`, `"AQ"`, 1), "exponent"},
		"RSA, e even":           {strings.Replace(jwkOf(rsaOne(), `"kid":"k"`), `"AQAB"`, `"AQAA"`, 1), "exponent"},
		"RSA, e huge":           {strings.Replace(jwkOf(rsaOne(), `"kid":"k"`), `"AQAB"`, `"AQAAAAE"`, 1), "exponent"},
		"RSA, no e":             {strings.Replace(jwkOf(rsaOne(), `"kid":"k"`), `"e":`, `"E":`, 1), "no e in"},
		"RSA, n padded":         {strings.Replace(jwkOf(rsaOne(), `"kid":"k"`), `","e"`, `==","e"`, 1), "no n in"},
		"off the curve":         {ec("P-256", x, x), "off its curve"},
		"the point zero":        {ec("P-256", zero(32), zero(32)), "off its curve"},
		"beyond the field":      {ec("P-256", `"`+encode(strings.Repeat("\xff", 32))+`"`, y), "off its curve"},
		"on another curve":      {ec("P-384", x, y), "not of 48 bytes"},
		"x too long":            {ec("P-256", `"AAAA`+x[1:], y), "P-256"},
		"x missing":             {ec("P-256", "null", y), "no x in"},
		"Ed25519, 31 bytes":     {`{"kty":"OKP","crv":"Ed25519","kid":"k","x":"` + encode(secretOf(31)) + `"}`, "not of 32 bytes"},
		"kid not a string":      {jwkOf(ed(), `"kid":7`), "kid that is not a string"},
		"a member twice":        {jwkOf(ed(), `"kid":"k","kid":"k"`), "a member twice"},
		"not an object":         {`"k"`, "no JSON object"},
		"null":                  {`null`, "no JSON object"},
		"a list within the set": {`[` + jwkOf(ed(), `"kid":"k"`) + `]`, "no JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			set, warnings := setOf(t, tc.key, jwkOf(p521(), `"kid":"good"`))
			if got := usable(set, "k"); got != nil {
				t.Errorf("it serves %v, want nothing", got)
			}
			if got := usable(set, "good"); !slices.Equal(got, []string{"ES512"}) || set.size != 1 {
				t.Errorf("the key beside it serves %v of %d keys, want ES512 of 1", got, set.size)
			}
			got := strings.Join(warnings, "; ")
			if tc.warning == "" && got != "" || !strings.Contains(got, strings.ReplaceAll(tc.warning, "P-256", "not of 32 bytes")) {
				t.Errorf("warnings %q, want %q", got, tc.warning)
			}
		})
	}
}

func secretOf(n int) string { return strings.Repeat("s", n) }

func TestDuplicateKidIsRefusedForBothAndForNoOther(t *testing.T) {
	set, warnings := setOf(t, jwkOf(rsaOne(), `"kid":"k"`), jwkOf(rsaTwo(), `"kid":"k","alg":"RS256"`),
		jwkOf(p256(), `"kid":"k"`), jwkOf(p384(), `"kid":"other"`))
	if _, err := set.find(algorithms["RS256"], "k", true); !errors.Is(err, errTwoKeys) {
		t.Errorf("RS256: got %v, want %v", err, errTwoKeys)
	}
	// RFC 7517, 4.5: the same kid may name keys of different types.
	want := []string{"RS384", "RS512", "PS256", "PS384", "PS512", "ES256"}
	if got := usable(set, "k"); !slices.Equal(got, want) {
		t.Errorf("the kid serves %v, want %v", got, want)
	}
	if got := usable(set, "other"); !slices.Equal(got, []string{"ES384"}) {
		t.Errorf("another kid serves %v, want ES384", got)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"k"`) {
		t.Errorf("warnings %q, want one about the kid", warnings)
	}
}

func TestTokenWithDuplicateKidIsRefused(t *testing.T) {
	v := running(t, newIDP(t, jwkOf(rsaOne(), `"kid":"k"`), jwkOf(rsaTwo(), `"kid":"k"`), jwkOf(p256(), `"kid":"p"`)).options())
	refused(t, v, tokenBy("RS256", "k"), reasonUnknownKey)
	accepted(t, v, tokenBy("ES256", "p"))
}

func TestMissingKidMustLeaveNoChoice(t *testing.T) {
	named, unnamed, two := jwkOf(p256(), `"kid":"k"`), jwkOf(p256(), `"use":"sig"`), jwkOf(p256Two(), `"kid":"l"`)
	noKid := signKey("ES256", p256(), `{"alg":"ES256"}`, claimsOf("u"))
	withKid := tokenBy("ES256", "k")
	unknown := tokenBy("ES256", "x")
	for name, tc := range map[string]struct {
		keys  []string
		token string
		want  Reason // "": accepted
	}{
		"no kid, one key":               {[]string{named}, noKid, ""},
		"no kid, one key without":       {[]string{unnamed}, noKid, ""},
		"no kid, one of its kind":       {[]string{named, jwkOf(rsaOne(), `"kid":"r"`)}, noKid, ""},
		"no kid, two keys":              {[]string{named, two}, noKid, reasonUnknownKey},
		"no kid, one with, one without": {[]string{unnamed, two}, noKid, reasonUnknownKey},
		"no kid, none of its kind":      {[]string{jwkOf(rsaOne(), `"kid":"r"`)}, noKid, reasonUnknownKey},
		"kid, the key has none":         {[]string{unnamed}, withKid, ""},
		"kid, the key has another":      {[]string{named}, unknown, reasonUnknownKey},
		"kid, two keys, one without":    {[]string{unnamed, two}, withKid, reasonUnknownKey},
		"kid, two keys, it has one":     {[]string{unnamed, named}, withKid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := running(t, newIDP(t, tc.keys...).options())
			if tc.want == "" {
				accepted(t, v, tc.token)
			} else {
				refused(t, v, tc.token, tc.want)
			}
		})
	}
}

func TestPrivatePartOfAKeyIsNotUsedButToldOf(t *testing.T) {
	set, warnings := setOf(t, jwkOf(p256(), `"kid":"k","d":"`+encode(secretOf(32))+`"`))
	if got := usable(set, "k"); !slices.Equal(got, []string{"ES256"}) {
		t.Errorf("serves %v, want ES256", got)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "private part") {
		t.Errorf("warnings %q, want one about the private part", warnings)
	}
}

func TestDocumentsThatAreNoKeySet(t *testing.T) {
	for name, tc := range map[string]struct{ document, want string }{
		"a web page":      {"<!DOCTYPE html><html></html>", "web page"},
		"empty":           {"", "not a JSON object"},
		"an array":        {"[]", "not a JSON object"},
		"null":            {"null", "not a JWK Set"},
		"an error":        {`{"error":"down"}`, "not a JWK Set"},
		"keys null":       {`{"keys":null}`, "not a JWK Set"},
		"keys an object":  {`{"keys":{}}`, "not a JWK Set"},
		"KEYS":            {`{"KEYS":[]}`, "not a JWK Set"},
		"followed by one": {jwks() + jwks(), "not a JSON object"},
		"101 keys":        {jwks(slices.Repeat([]string{`{"kty":"x"}`}, 101)...), "101 keys"},
	} {
		if set, _, err := parseKeySet([]byte(tc.document), nil); err == nil || set != nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", name, set, err, tc.want)
		}
	}
	if _, _, err := parseKeySet([]byte(jwks(slices.Repeat([]string{`{"kty":"x"}`}, 100)...)), nil); err != nil {
		t.Errorf("100 keys: %v", err)
	}
}

// A valid key set is believed even if it withdraws all keys; what is then unavailable is not the
// token's fault.
func TestKeySetWithoutAKeyOfUseMakesUnavailable(t *testing.T) {
	p := newIDP(t, jwkOf(p256(), `"kid":"k"`))
	o := p.options()
	o.Issuers[0].Algorithms = []string{"RS256"}
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	if _, err := v.Verify(context.Background(), tokenBy("RS256", "k")); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no key of use") {
		t.Errorf("got %v, want ErrUnavailable, because there is no key of use", err)
	}
}
