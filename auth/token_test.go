package auth

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// refused checks the reason, and that the text is fit for a close frame and a log.
func refused(t *testing.T, v *Verifier, token string, want Reason) {
	t.Helper()
	g, err := v.Verify(t.Context(), token)
	_ = secrecy.Error(t, err)
	var refusal *Error
	switch {
	case err == nil:
		t.Errorf("granted %+v, want refusal %q", g, want)
	case !errors.As(err, &refusal):
		t.Errorf("got %T %v, want an *Error with reason %q", err, err, want)
	case refusal.Reason != want:
		t.Errorf("refused as %q (%v), want %q", refusal.Reason, err, want)
	case len(err.Error()) > 120:
		t.Errorf("text has %d bytes, want at most 120: %v", len(err.Error()), err)
	case g != nil:
		t.Errorf("refused, and yet granted %+v", g)
	}
}

func TestTokensThatAreAccepted(t *testing.T) {
	both := newVerifier(t, func(o *Options) { o.Issuers[0].Secrets = [][]byte{secret32, secret64} })
	for name, token := range map[string]string{
		"HS256":                         sign(secret32, hs256, minimal),
		"the second secret":             sign(secret64, hs256, minimal),
		"HS512 with a 64-byte secret":   sign512(secret64, minimal),
		"no typ":                        sign(secret32, `{"alg":"HS256"}`, minimal),
		"typ in another case":           sign(secret32, `{"alg":"HS256","typ":"jwt"}`, minimal),
		"typ at+jwt":                    sign(secret32, `{"alg":"HS256","typ":"at+jwt"}`, minimal),
		"typ with application/":         sign(secret32, `{"alg":"HS256","typ":"Application/AT+JWT"}`, minimal),
		"kid that nobody knows":         sign(secret32, `{"alg":"HS256","kid":"x"}`, minimal),
		"space within the JSON":         sign(secret32, " {\n\"alg\" : \"HS256\" } ", " "+minimal+"\n"),
		"exp with a fraction":           sign(secret32, hs256, `{"exp":4102444800.75}`),
		"exp with an exponent":          sign(secret32, hs256, `{"exp":4.1024448E9}`),
		"nbf in the past":               sign(secret32, hs256, with(`"nbf":1`)),
		"iat in the future":             sign(secret32, hs256, with(`"iat":`+never)),
		"any iss and aud":               sign(secret32, hs256, with(`"iss":"x","aud":["y","z"]`)),
		"deep nesting":                  sign(secret32, hs256, with(`"x":`+strings.Repeat("[", 2500)+strings.Repeat("]", 2500))),
		"same name in separate objects": sign(secret32, hs256, with(`"a":{"b":1},"c":[{"b":1},{"b":2}]`)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := both.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	good := sign(secret32, hs256, with(`"sub":"u42"`))
	parts := strings.Split(good, ".")
	header, payload, signature := parts[0], parts[1], parts[2]

	for name, tc := range map[string]struct {
		token string
		want  Reason
	}{
		"empty":                   {"", reasonMalformed},
		"9 KB":                    {sign(secret32, hs256, with(`"x":"`+strings.Repeat("x", 9000)+`"`)), reasonTooLong},
		"9 KB of rubbish":         {strings.Repeat("{", 9000), reasonTooLong},
		"two parts":               {header + "." + payload, reasonMalformed},
		"four parts":              {good + ".", reasonMalformed},
		"truncated":               {good[:len(good)-4], reasonSignature},
		"truncated within a byte": {good[:len(good)-2], reasonMalformed},
		"padded":                  {good + "=", reasonMalformed},
		"space before":            {" " + good, reasonMalformed},
		"newline after":           {good + "\n", reasonMalformed},
		"newline within":          {header + ".\r\n" + payload + "." + signature, reasonMalformed},
		"standard base64":         {seal(sha256.New, secret32, encode(hs256)+"."+"+"+payload[1:]), reasonMalformed},
		"JSON serialisation": {
			`{"protected":"` + header + `","payload":"` + payload + `","signature":"` + signature + `"}`, reasonMalformed},
		"JSON serialisation, flattened to three parts": {
			`{"payload":"` + payload + `","x.y.z":"` + signature + `"}`, reasonMalformed},

		"header not JSON":            {sign(secret32, `HS256`, minimal), reasonMalformed},
		"header an array":            {sign(secret32, `["HS256"]`, minimal), reasonMalformed},
		"header followed by more":    {sign(secret32, hs256+`{}`, minimal), reasonMalformed},
		"header with two alg":        {sign(secret32, `{"alg":"none","alg":"HS256"}`, minimal), reasonMalformed},
		"header with an escaped 2nd": {sign(secret32, `{"alg":"HS256","\u0061lg":"HS256"}`, minimal), reasonMalformed},
		"payload not JSON":           {sign(secret32, hs256, `exp`), reasonMalformed},
		"payload null":               {sign(secret32, hs256, `null`), reasonMalformed},
		"payload empty":              {sign(secret32, hs256, ``), reasonMalformed},
		"payload not UTF-8":          {sign(secret32, hs256, with(`"sub":"`+"\xff"+`"`)), reasonMalformed},
		"payload followed by more":   {sign(secret32, hs256, minimal+minimal), reasonMalformed},
		"payload with two sub":       {sign(secret32, hs256, with(`"sub":"a","sub":"a"`)), reasonMalformed},
		"nested names twice":         {sign(secret32, hs256, with(`"org":[{"id":1,"id":2}]`)), reasonMalformed},
		"another typ":                {sign(secret32, `{"alg":"HS256","typ":"logout+jwt"}`, minimal), reasonMalformed},
		"typ not a string":           {sign(secret32, `{"alg":"HS256","typ":null}`, minimal), reasonMalformed},
		"kid not a string":           {sign(secret32, `{"alg":"HS256","kid":["1"]}`, minimal), reasonMalformed},

		"crit of something unknown": {sign(secret32, `{"alg":"HS256","crit":["x"],"x":1}`, minimal), reasonCritical},
		"crit of exp":               {sign(secret32, `{"alg":"HS256","crit":["exp"],"exp":1}`, minimal), reasonCritical},
		"crit empty":                {sign(secret32, `{"alg":"HS256","crit":[]}`, minimal), reasonCritical},
		"crit null":                 {sign(secret32, `{"alg":"HS256","crit":null}`, minimal), reasonCritical},
		"b64 without crit": {
			seal(sha256.New, secret32, encode(`{"alg":"HS256","b64":false}`)+"."+encode(minimal)), reasonCritical},

		"no alg":                    {sign(secret32, `{"typ":"JWT"}`, minimal), reasonAlgorithm},
		"alg not a string":          {sign(secret32, `{"alg":["HS256"]}`, minimal), reasonAlgorithm},
		"alg none, unsigned":        {encode(`{"alg":"none"}`) + "." + encode(minimal) + ".", reasonAlgorithm},
		"alg none, signed":          {sign(secret32, `{"alg":"none"}`, minimal), reasonAlgorithm},
		"alg NONE":                  {encode(`{"alg":"NONE"}`) + "." + encode(minimal) + ".", reasonAlgorithm},
		"alg in another case":       {sign(secret32, `{"alg":"hs256"}`, minimal), reasonAlgorithm},
		"alg RS256":                 {sign(secret32, `{"alg":"RS256"}`, minimal), reasonAlgorithm},
		"HS512, 32-byte secret":     {sign512(secret32, minimal), reasonAlgorithm},
		"HS256 without a signature": {header + "." + payload + ".", reasonSignature},
		"another's secret":          {sign(stranger, hs256, minimal), reasonSignature},
		"another's payload":         {header + "." + encode(with(`"sub":"admin"`)) + "." + signature, reasonSignature},
		"another's header":          {encode(`{"alg":"HS256"}`) + "." + payload + "." + signature, reasonSignature},
		"space around the header":   {encode(" "+hs256+" ") + "." + payload + "." + signature, reasonSignature},
		"HS512 said, HS256 made":    {sign(secret64, `{"alg":"HS512"}`, minimal), reasonAlgorithm},
		"signature too long":        {good + "AAAA", reasonSignature},
	} {
		t.Run(name, func(t *testing.T) { refused(t, newVerifier(t), tc.token, tc.want) })
	}
}

func TestEachTokenHasOneSpelling(t *testing.T) {
	// The last character of each part of this token holds bits that belong to no byte.
	good := sign(secret32, `{"alg":"HS256" }`, `{"exp":`+never+` }`)
	v := newVerifier(t)
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00"
	for i := range good {
		for _, c := range []byte(alphabet) {
			if c == good[i] {
				continue
			}
			changed := good[:i] + string(rune(c)) + good[i+1:]
			if _, err := v.Verify(t.Context(), changed); err == nil {
				t.Errorf("accepted with byte %d %q as %q", i, good[i], c)
			}
		}
	}
}

func TestKeysInTheTokenAreNeverUsed(t *testing.T) {
	key := `{"kty":"oct","k":"` + encode(string(stranger)) + `","alg":"HS256","kid":"1"}`
	v := newVerifier(t)
	for name, header := range map[string]string{
		"jwk":       `{"alg":"HS256","kid":"1","jwk":` + key + `}`,
		"jku":       `{"alg":"HS256","kid":"1","jku":"https://127.0.0.1:1/keys"}`,
		"x5u":       `{"alg":"HS256","x5u":"https://127.0.0.1:1/cert"}`,
		"kid empty": `{"alg":"HS256","kid":""}`,
		"x5c":       `{"alg":"HS256","x5c":["` + encode(string(stranger)) + `"]}`,
		"jwk wrong": `{"alg":"HS256","jwk":1}`,
		"kid path":  `{"alg":"HS256","kid":"../../dev/null"}`,
		"kid query": `{"alg":"HS256","kid":"' OR 1=1 --"}`,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, v, sign(stranger, header, minimal), reasonSignature)
			if _, err := v.Verify(t.Context(), sign(secret32, header, minimal)); err != nil {
				t.Errorf("our own token with %s: %v", name, err)
			}
		})
	}
}

func TestOnlyListedAlgorithmsVerify(t *testing.T) {
	v := newVerifier(t, func(o *Options) {
		o.Issuers[0].Secrets = [][]byte{secret64}
		o.Issuers[0].Algorithms = []string{"HS512"}
	})
	if _, err := v.Verify(t.Context(), sign512(secret64, minimal)); err != nil {
		t.Error(err)
	}
	refused(t, v, sign(secret64, hs256, minimal), reasonAlgorithm)
	refused(t, v, sign(secret64, `{"alg":"HS512"}`, minimal), reasonSignature)
}

func TestShortSecretDoesNotVerifyLongHashBesideALongOne(t *testing.T) {
	v := newVerifier(t, func(o *Options) { o.Issuers[0].Secrets = [][]byte{secret32, secret64} })
	refused(t, v, sign512(secret32, minimal), reasonSignature)
}

func TestSecretNoLongerConfiguredIsRefused(t *testing.T) {
	token := sign(secret32, hs256, minimal)
	refused(t, newVerifier(t, func(o *Options) { o.Issuers[0].Secrets = [][]byte{secret64} }), token, reasonSignature)
}

func TestRefusalsHoldNothingOfTheToken(t *testing.T) {
	v := newVerifier(t, func(o *Options) { o.Issuers[0].Issuer, o.Issuers[0].Audience = "us", []string{"us"} })
	for _, token := range []string{
		sign(secret32, `{"alg":"CANARY"}`, minimal),
		sign(secret32, `{"alg":"HS256","typ":"CANARY"}`, minimal),
		sign(secret32, `{"alg":"HS256","CANARY":1,"CANARY":1}`, minimal),
		sign(stranger, hs256, with(`"sub":"CANARY"`)),
		sign(secret32, hs256, `{"CANARY"`),
		sign(secret32, hs256, `{"exp":"CANARY"}`),
		sign(secret32, hs256, with(`"iss":"CANARY"`)),
		sign(secret32, hs256, with(`"iss":"us","aud":"CANARY"`)),
		"CANARY.CANARY.CANARY",
	} {
		if _, err := v.Verify(t.Context(), token); err == nil || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("Verify(%s): %v", token, err)
		}
	}
}
