package auth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"
)

// all is a key of each kind, each with its algorithm's name for a kid, and none with an alg.
func all() []string {
	var keys []string
	for _, alg := range publicAlgorithms {
		keys = append(keys, jwkOf(keyFor(alg), fmt.Sprintf(`"kid":%q,"use":"sig"`, alg)))
	}
	return keys
}

func TestEveryAlgorithmIsAccepted(t *testing.T) {
	v := running(t, newIDP(t, all()...).options())
	for _, alg := range publicAlgorithms {
		t.Run(alg, func(t *testing.T) {
			g, err := v.Verify(t.Context(), tokenBy(alg, alg))
			if err != nil {
				t.Fatal(err)
			}
			if g.Subject != "u42" || g.Issuer != "https://idp.example" {
				t.Errorf("got %+v", g)
			}
		})
	}
}

func TestOnlyAllowedAlgorithmsVerifyWithPublicKeys(t *testing.T) {
	o := newIDP(t, all()...).options()
	o.Issuers[0].Algorithms = []string{"RS256"}
	v := running(t, o)
	accepted(t, v, tokenBy("RS256", "RS256"))
	for _, alg := range publicAlgorithms[1:] {
		refused(t, v, tokenBy(alg, alg), reasonAlgorithm)
		refused(t, v, tokenBy(alg, "RS256"), reasonAlgorithm)
	}
}

// Each of these has broken a verifier somewhere.
func TestCheatsAreRefused(t *testing.T) {
	// The same kid at another issuer, with another key.
	other := newIDP(t, jwkOf(rsaTwo(), `"kid":"RS256"`))
	o := newIDP(t, all()...).options()
	o.Issuers[0].Leeway = 30 * time.Second
	o.Issuers = append(o.Issuers, Issuer{Issuer: "https://other.example", Audience: []string{"chat"}, JWKSURL: other.URL + "/keys"})
	o.RootCAs.AddCert(other.Certificate())
	v := running(t, o)

	der := must(x509.MarshalPKIXPublicKey(rsaOne().Public()))
	pkcs1 := x509.MarshalPKCS1PublicKey(&rsaOne().PublicKey)
	pemOf := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	hs := func(secret []byte) string { return sign(secret, `{"alg":"HS256","kid":"RS256"}`, claimsOf("u42")) }
	// strangerWith is signed with a stranger's key, which header brings along or points to.
	strangerWith := func(header string) string {
		return signKey("RS256", rsaTwo(), `{"alg":"RS256",`+header+`}`, claimsOf("u42"))
	}
	claims := func(claims string) string {
		return signKey("RS256", rsaOne(), `{"alg":"RS256","kid":"RS256"}`, claims)
	}
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	const who = `"iss":"https://idp.example","aud":"chat"`
	header := func(header string) string { return signKey("RS256", rsaOne(), header, claimsOf("u42")) }

	good := tokenBy("RS256", "RS256")
	parts := strings.Split(good, ".")
	body := parts[0] + "." + parts[1] + "."

	for name, tc := range map[string]struct {
		token string
		want  Reason
	}{
		"alg none, unsigned":             {encode(`{"alg":"none","kid":"RS256"}`) + "." + parts[1] + ".", reasonAlgorithm},
		"alg none, signed":               {header(`{"alg":"none","kid":"RS256"}`), reasonAlgorithm},
		"no alg":                         {header(`{"kid":"RS256"}`), reasonAlgorithm},
		"HS256 with the public key, PEM": {hs(pemOf("PUBLIC KEY", der)), reasonAlgorithm},
		"HS256 with the public key, DER": {hs(der), reasonAlgorithm},
		"HS256 with it, PKCS 1 PEM":      {hs(pemOf("RSA PUBLIC KEY", pkcs1)), reasonAlgorithm},
		"HS256 with it, PKCS 1 DER":      {hs(pkcs1), reasonAlgorithm},
		"HS256 with the modulus":         {hs(rsaOne().N.Bytes()), reasonAlgorithm},
		"alg of another curve":           {signKey("ES256", p256(), `{"alg":"ES384","kid":"ES384"}`, claimsOf("u")), reasonSignature},
		"kid of a key of another kind":   {tokenBy("ES256", "RS256"), reasonUnknownKey},
		"kid of another curve":           {tokenBy("ES256", "ES384"), reasonUnknownKey},
		"PS256 said, RS256 made":         {header(`{"alg":"PS256","kid":"PS256"}`), reasonSignature},

		"another issuer's key, same kid": {strangerWith(`"kid":"RS256"`), reasonSignature},
		"our key, another's token": {
			claims(with(`"iss":"https://other.example","aud":"chat"`)), reasonSignature},
		"jwk":              {strangerWith(`"kid":"RS256","jwk":` + jwkOf(rsaTwo(), `"kid":"RS256"`)), reasonSignature},
		"jwk, its own kid": {strangerWith(`"kid":"mine","jwk":` + jwkOf(rsaTwo(), `"kid":"mine"`)), reasonUnknownKey},
		"jku":              {strangerWith(`"kid":"RS256","jku":"` + other.URL + `/keys"`), reasonSignature},
		"x5u":              {strangerWith(`"kid":"RS256","x5u":"` + other.URL + `/keys"`), reasonSignature},
		"x5c":              {strangerWith(`"kid":"RS256","x5c":["` + encode(string(der)) + `"]`), reasonSignature},
		"iss with a URL":   {claims(with(`"iss":"` + other.URL + `","aud":"chat"`)), reasonIssuer},

		"wrong iss":     {claims(with(`"iss":"https://idp.example/","aud":"chat"`)), reasonIssuer},
		"no iss":        {claims(with(`"aud":"chat"`)), reasonIssuer},
		"wrong aud":     {claims(with(`"iss":"https://idp.example","aud":"billing"`)), reasonAudience},
		"no aud":        {claims(with(`"iss":"https://idp.example"`)), reasonAudience},
		"wrong typ":     {header(`{"alg":"RS256","kid":"RS256","typ":"dpop+jwt"}`), reasonMalformed},
		"no exp":        {claims(`{` + who + `}`), reasonNoExpiry},
		"exp a string":  {claims(`{"exp":"` + never + `",` + who + `}`), reasonClaims},
		"exp, leeway":   {claims(fmt.Sprintf(`{"exp":%d,%s}`, in(-31*time.Second), who)), reasonExpired},
		"nbf, leeway":   {claims(with(fmt.Sprintf(`"nbf":%d,%s`, in(35*time.Second), who))), reasonNotYetValid},
		"unknown crit":  {header(`{"alg":"RS256","kid":"RS256","crit":["x"],"x":1}`), reasonCritical},
		"kid a number":  {header(`{"alg":"RS256","kid":1}`), reasonMalformed},
		"unknown kid":   {header(`{"alg":"RS256","kid":"x"}`), reasonUnknownKey},
		"no kid of ten": {header(`{"alg":"RS256"}`), reasonUnknownKey},
		"two tokens":    {good + "," + good, reasonMalformed},
		"9 KB":          {claims(with(who + `,"x":"` + strings.Repeat("x", 9000) + `"`)), reasonTooLong},
		"truncated":     {good[:len(good)-2], reasonSignature},
		"one byte less": {good[:len(good)-1], reasonMalformed},
		"re-padded":     {good + "==", reasonMalformed},
		"non-canonical": {body + parts[2][:len(parts[2])-1] + next(parts[2]), reasonMalformed},
		"a byte before": {body + "AAAA" + parts[2], reasonSignature},
		"no signature":  {body, reasonSignature},
		"HMAC's":        {seal(sha256.New, der, parts[0]+"."+parts[1]), reasonSignature},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, tc.token, tc.want) })
	}
	accepted(t, v, good, claims(fmt.Sprintf(`{"exp":%d,%s}`, in(-25*time.Second), who)), claims(with(fmt.Sprintf(`"nbf":%d,%s`, in(25*time.Second), who))))
	if got := other.fetches.Load(); got > 2 {
		t.Errorf("the other issuer was asked %d times, want by its own schedule only", got)
	}
}

// next is another last character of base64 that decodes, loosely, to the same bytes.
func next(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])^1])
}

func TestKeysOfOneIssuerNeverVerifyAnothersTokens(t *testing.T) {
	one, two := newIDP(t, jwkOf(p256(), `"kid":"k"`)), newIDP(t, jwkOf(p256Two(), `"kid":"k"`))
	o := one.options()
	o.RootCAs.AddCert(two.Certificate())
	o.Issuers = append(o.Issuers,
		Issuer{Issuer: "two", Audience: []string{"chat"}, JWKSURL: two.URL + "/keys"},
		Issuer{Issuer: "three", Secrets: [][]byte{secret32}})
	v := running(t, o)

	const header = `{"alg":"ES256","kid":"k"}`
	of := func(iss string) string { return with(`"iss":"` + iss + `","aud":"chat"`) }
	accepted(t, v, signKey("ES256", p256(), header, of("https://idp.example")), signKey("ES256", p256Two(), header, of("two")),
		sign(secret32, hs256, of("three")))
	refused(t, v, signKey("ES256", p256(), header, of("two")), reasonSignature)
	refused(t, v, signKey("ES256", p256Two(), header, of("https://idp.example")), reasonSignature)
	refused(t, v, signKey("ES256", p256(), header, of("three")), reasonAlgorithm)
	refused(t, v, sign(secret32, hs256, of("two")), reasonAlgorithm)
	refused(t, v, sign(secret32, hs256, of("four")), reasonIssuer)
	refused(t, v, sign(secret32, hs256, of("")), reasonIssuer)
}

func TestGrantHasTheLeewayOfItsIssuer(t *testing.T) {
	v := newVerifier(t, func(o *Options) {
		o.Issuers = []Issuer{
			{Issuer: "a", Secrets: [][]byte{secret32}, Leeway: time.Minute},
			{Issuer: "b", Secrets: [][]byte{secret32}, Leeway: time.Second},
		}
	})
	for iss, want := range map[string]time.Duration{"a": time.Minute, "b": time.Second} {
		if got := grantOf(t, v, with(`"iss":"`+iss+`"`)).Leeway; got != want {
			t.Errorf("Leeway of %s = %v, want %v", iss, got, want)
		}
	}
}
