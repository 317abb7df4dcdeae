package auth

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestClaimsThatAreRefused(t *testing.T) {
	strict := newVerifier(t, func(o *Options) {
		o.Issuers[0].Issuer = "https://idp.example"
		o.Issuers[0].Audience = []string{"chat", "admin"}
	})
	lax := newVerifier(t)
	for name, tc := range map[string]struct {
		v      *Verifier
		claims string
		want   Reason
	}{
		"no exp":             {lax, `{}`, reasonNoExpiry},
		"exp nested":         {lax, `{"x":{"exp":` + never + `}}`, reasonNoExpiry},
		"exp in capitals":    {lax, `{"EXP":` + never + `}`, reasonNoExpiry},
		"exp null":           {lax, `{"exp":null}`, reasonClaims},
		"exp a string":       {lax, `{"exp":"` + never + `"}`, reasonClaims},
		"exp true":           {lax, `{"exp":true}`, reasonClaims},
		"exp an array":       {lax, `{"exp":[` + never + `]}`, reasonClaims},
		"exp milliseconds":   {lax, `{"exp":` + never + `000}`, reasonClaims},
		"exp huge":           {lax, `{"exp":1e300}`, reasonClaims},
		"exp infinite":       {lax, `{"exp":1e999}`, reasonClaims},
		"exp negative":       {lax, `{"exp":-1}`, reasonClaims},
		"exp past":           {lax, `{"exp":1}`, reasonExpired},
		"exp a tiny number":  {lax, `{"exp":1e-999}`, reasonExpired},
		"nbf future":         {lax, with(`"nbf":4102444799`), reasonNotYetValid},
		"nbf a string":       {lax, with(`"nbf":"1"`), reasonClaims},
		"nbf null":           {lax, with(`"nbf":null`), reasonClaims},
		"nbf huge":           {lax, with(`"nbf":1e300`), reasonClaims},
		"sub a number":       {lax, with(`"sub":42`), reasonClaims},
		"sub null":           {lax, with(`"sub":null`), reasonClaims},
		"sub 257 bytes":      {lax, with(`"sub":"` + strings.Repeat("x", 257) + `"`), reasonClaims},
		"sub with a newline": {lax, with(`"sub":"a\nb"`), reasonClaims},
		"sub with a NUL":     {lax, with(`"sub":"a\u0000b"`), reasonClaims},
		"sub with a C1":      {lax, with(`"sub":"a\u0085b"`), reasonClaims},
		"sub half a pair":    {lax, with(`"sub":"\ud83d"`), reasonClaims},
		"jti a number":       {lax, with(`"jti":1`), reasonClaims},
		"jti 257 bytes":      {lax, with(`"jti":"` + strings.Repeat("x", 257) + `"`), reasonClaims},
		"iss an array":       {lax, with(`"iss":["x"]`), reasonClaims},
		"aud a number":       {lax, with(`"aud":1`), reasonClaims},
		"aud an object":      {lax, with(`"aud":{"chat":1}`), reasonClaims},
		"aud of mixed types": {lax, with(`"aud":["chat",1]`), reasonClaims},

		"iss missing":        {strict, with(`"aud":"chat"`), reasonIssuer},
		"iss empty":          {strict, with(`"iss":"","aud":"chat"`), reasonIssuer},
		"iss another":        {strict, with(`"iss":"https://idp.example/","aud":"chat"`), reasonIssuer},
		"aud missing":        {strict, with(`"iss":"https://idp.example"`), reasonAudience},
		"aud empty":          {strict, with(`"iss":"https://idp.example","aud":[]`), reasonAudience},
		"aud another":        {strict, with(`"iss":"https://idp.example","aud":["Chat","x"]`), reasonAudience},
		"aud two in one":     {strict, with(`"iss":"https://idp.example","aud":"chat admin"`), reasonAudience},
		"aud empty as first": {strict, with(`"iss":"https://idp.example","aud":""`), reasonAudience},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tc.v, sign(secret32, hs256, tc.claims), tc.want) })
	}
}

func TestAudienceMayBeStringOrArray(t *testing.T) {
	v := newVerifier(t, func(o *Options) {
		o.Issuers[0].Issuer = "https://idp.example"
		o.Issuers[0].Audience = []string{"chat", "admin"}
	})
	for _, aud := range []string{`"chat"`, `"admin"`, `["x","admin"]`} {
		g := grantOf(t, v, with(`"iss":"https://idp.example","aud":`+aud))
		if got, want := g.Issuer, "https://idp.example"; got != want {
			t.Errorf("Issuer = %q, want %q", got, want)
		}
	}
}

func TestGrantSaysWhoAndUntilWhen(t *testing.T) {
	g := grantOf(t, newVerifier(t), with(`"sub":"Zoë 42","jti":"abc","iss":"me"`))
	if g.Subject != "Zoë 42" || g.ID != "abc" || g.Issuer != "me" {
		t.Errorf("got subject %q, id %q, issuer %q", g.Subject, g.ID, g.Issuer)
	}
	if want := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC); !g.Expires.Equal(want) {
		t.Errorf("Expires = %v, want %v", g.Expires, want)
	}
}

func TestLeewayMovesBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().Add(time.Hour)
		token := sign(secret32, hs256, fmt.Sprintf(`{"nbf":%d,"exp":%d}`, start.Unix(), start.Unix()+60))
		v := newVerifier(t, func(o *Options) { o.Issuers[0].Leeway = 30 * time.Second })

		at := func(d time.Duration) { time.Sleep(time.Until(start.Add(d))) }
		accepted := func() {
			t.Helper()
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		at(-30*time.Second - time.Nanosecond)
		refused(t, v, token, reasonNotYetValid)
		at(-30 * time.Second)
		accepted()
		at(90*time.Second - time.Nanosecond)
		accepted()
		at(90 * time.Second)
		refused(t, v, token, reasonExpired)
	})
}

func TestClaimPaths(t *testing.T) {
	for name, tc := range map[string]struct {
		path, claims string
		want         []string
	}{
		"by default":             {"", `"rooms":["a"]`, []string{"a"}},
		"nested":                 {"app.chat.rooms", `"app":{"chat":{"rooms":["a"]}}`, []string{"a"}},
		"a name with dots":       {"https://example.com/rooms", `"https://example.com/rooms":["a"]`, []string{"a"}},
		"a name with dots first": {"app.rooms", `"app":{"rooms":["b"]},"app.rooms":["a"]`, []string{"a"}},
		"missing":                {"app.rooms", `"app":{}`, nil},
		"through an array":       {"app.rooms", `"app":[{"rooms":["a"]}]`, nil},
		"through a string":       {"app.rooms", `"app":"rooms"`, nil},
		"not the default":        {"scope", `"rooms":["b"],"scope":"a c"`, []string{"a", "c"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, func(o *Options) { o.RoomsClaim = tc.path })
			equal(t, "Named", grantOf(t, v, with(tc.claims)).Named(), tc.want)
		})
	}
}
