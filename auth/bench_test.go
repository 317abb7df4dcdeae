package auth

import (
	"strings"
	"testing"
)

func BenchmarkVerify(b *testing.B) {
	claims := with(`"sub":"u42","iss":"https://idp.example","aud":"chat","iat":1767225600,"rooms":["room:42"]`)
	for name, secrets := range map[string][][]byte{
		"OneSecret":  {secret32},
		"LastOfFour": {stranger, stranger, stranger, secret32},
	} {
		b.Run(name, func(b *testing.B) {
			v := newVerifier(b, func(o *Options) {
				o.Issuers[0].Secrets = secrets
				o.Issuers[0].Issuer = "https://idp.example"
				o.Issuers[0].Audience = []string{"chat"}
				o.AutoRooms = []string{"user:{sub}"}
			})
			token := sign(secret32, hs256, claims)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("WrongSecret", func(b *testing.B) {
		v, token := newVerifier(b), sign(stranger, hs256, claims)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

func BenchmarkMayJoin(b *testing.B) {
	g := grantOf(b, newVerifier(b), with(`"rooms":["room:1","room:2","team:*","order:*:status"]`))
	worst := grantOf(b, newVerifier(b), with(`"rooms":["*a*a*a*a*a*a*a*b"]`))
	for name, tc := range map[string]struct {
		grant *Grant
		room  string
	}{
		"Name":         {g, "room:2"},
		"Pattern":      {g, "order:12345:status"},
		"WorstPattern": {worst, strings.Repeat("a", 128)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tc.grant.MayJoin(tc.room)
			}
		})
	}
}
