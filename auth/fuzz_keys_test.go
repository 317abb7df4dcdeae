package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

// FuzzJWKS: whatever an issuer publishes, there is no panic, no secret among the keys, no weak
// one, and none that serves an algorithm that is not its own.
func FuzzJWKS(f *testing.F) {
	for _, set := range []string{
		jwks(), jwks(jwkOf(rsaOne(), `"kid":"k","use":"sig","alg":"RS256"`), jwkOf(rsaOne(), `"kid":"k","use":"enc"`)),
		jwks(jwkOf(p256(), `"kid":"k"`), jwkOf(p384(), `"key_ops":["verify"]`), jwkOf(p521(), `"d":"AA"`), jwkOf(ed(), `"kid":"k"`)),
		jwks(shortRSA(1024, `"kid":"k"`), `{"kty":"oct","k":"c2VjcmV0","alg":"HS256","kid":"k"}`, `{"kty":"oct","alg":"RS256","n":"AQ"}`),
		jwks(`null`, `[]`, `{"kty":{}}`, `{"kty":"EC","crv":[]}`, `{"kty":"OKP","crv":"Ed25519","x":1}`), `{"keys":{}}`, `<html>`,
	} {
		f.Add([]byte(set), "k")
	}
	allowed, _ := chooseAlgorithms("", nil, publicAlgorithms)
	f.Fuzz(func(t *testing.T, document []byte, kid string) {
		set, _, err := parseKeySet(document, allowed)
		if err != nil {
			if set != nil {
				t.Error("an error, and a set")
			}
			return
		}
		if !json.Valid(document) || set.size > maxKeys {
			t.Errorf("%d keys of %q", set.size, document)
		}
		for _, name := range slices.Concat(publicAlgorithms, secretAlgorithms) {
			keys, err := set.find(algorithms[name], kid, true)
			more, errMore := set.find(algorithms[name], "", false)
			for _, err := range []error{err, errMore} {
				if _, refusal := errors.AsType[*Error](err); err != nil && !refusal {
					t.Errorf("%s: %v is no refusal", name, err)
				}
			}
			for _, k := range slices.Concat(keys, more, set.byAlg[name]) {
				if !strong(name, k.material) {
					t.Errorf("%s is served by a %T", name, k.material)
				}
			}
		}
	})
}

// strong says again, apart from the code, which keys may serve the algorithm called name.
func strong(name string, material any) bool {
	switch k := material.(type) {
	case *rsa.PublicKey:
		return (name[0] == 'R' || name[0] == 'P') && k.N.BitLen() >= 2048 && k.E >= 3 && k.E%2 == 1
	case *ecdsa.PublicKey:
		curve := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[name]
		_, err := k.ECDH() // refuses points that are not on the curve
		return k.Curve.Params().Name == curve && err == nil
	case ed25519.PublicKey:
		return name == "EdDSA" && len(k) == 32
	}
	return false
}

// FuzzHeader: whatever a header says, a stranger's signature is never accepted, and our own only
// with an allowed algorithm and a key that the issuer published.
func FuzzHeader(f *testing.F) {
	for _, header := range []string{
		`{"alg":"ES256","kid":"k"}`, `{"alg":"ES256"}`, `{"alg":"none"}`, `{"alg":"ES256","kid":"k","crit":[]}`,
		`{"alg":"ES256","kid":"k","jwk":` + jwkOf(p256Two(), `"kid":"k"`) + `}`, `{"alg":"HS256","kid":"k"}`,
		`{"alg":"ES256","kid":"K"}`, `{"alg":"ES256","kid":null}`, `{"alg":"es256","kid":"k"}`, `{"alg":["ES256"],"kid":"k"}`,
	} {
		f.Add([]byte(header))
	}
	v := running(f, newIDP(f, jwkOf(p256(), `"kid":"k"`), jwkOf(p384(), `"kid":"l"`)).options())
	f.Fuzz(func(t *testing.T, header []byte) {
		if _, err := v.Verify(t.Context(), signKey("ES256", p256Two(), string(header), claimsOf("u"))); err == nil {
			t.Error("a stranger's token was accepted")
		}
		ours := signKey("ES256", p256(), string(header), claimsOf("u"))
		_, err := v.Verify(t.Context(), ours)
		if _, refusal := errors.AsType[*Error](err); err != nil && !refusal {
			t.Errorf("%v is no refusal", err)
		}
		var h map[string]any
		invalid := json.Unmarshal(header, &h)
		if kid, named := h["kid"]; err == nil && (invalid != nil || h["alg"] != "ES256" || named && kid != "k") {
			t.Errorf("accepted with the header %q", header)
		}
		agree(t, v, ours, "", v.Explain(t.Context(), ours, ""))
	})
}
