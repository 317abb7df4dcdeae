package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/roomgate/roomgate/auth"
)

// BenchmarkVerify verifies the same token with roomgate and with golang-jwt/jwt v5, both with an
// issuer, an audience, an expiry and the key found by its kid. Ours reads the claims into a grant
// of rooms too; theirs, into a map.
//
//	go test -run '^$' -bench Verify -benchmem
func BenchmarkVerify(b *testing.B) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(b, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(b, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	check(b, err)
	secret := []byte("only-for-benchmarks-0123456789abcdef")

	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		point, err := ecKey.PublicKey.Bytes()
		check(b, err)
		fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"RS256","n":%q,"e":"AQAB"},{"kty":"EC","crv":"P-256","kid":"ES256","x":%q,"y":%q},`+
			`{"kty":"OKP","crv":"Ed25519","kid":"EdDSA","x":%q}]}`,
			encode(rsaKey.N.Bytes()), encode(point[1:33]), encode(point[33:]), encode(edKey.Public().(ed25519.PublicKey)))
	}))
	defer idp.Close()
	public := auth.Issuer{Issuer: "https://idp.example", Audience: []string{"chat"}, JWKSURL: idp.URL, InsecureHTTP: true}
	shared := auth.Issuer{Issuer: "https://idp.example", Audience: []string{"chat"}, Secrets: [][]byte{secret}}

	for _, c := range []struct {
		method jwt.SigningMethod
		issuer auth.Issuer
		sign   any // key
		verify any // key
	}{
		{jwt.SigningMethodHS256, shared, secret, secret},
		{jwt.SigningMethodRS256, public, rsaKey, rsaKey.Public()},
		{jwt.SigningMethodES256, public, ecKey, ecKey.Public()},
		{jwt.SigningMethodEdDSA, public, edKey, edKey.Public()},
	} {
		alg := c.method.Alg()
		t := jwt.NewWithClaims(c.method, jwt.MapClaims{
			"iss": "https://idp.example", "aud": "chat", "sub": "u42", "iat": 1767225600, "exp": 4102444800, "rooms": []string{"room:42"},
		})
		t.Header["kid"] = alg
		token, err := t.SignedString(c.sign)
		check(b, err)
		b.Run(alg+"/roomgate", func(b *testing.B) { benchRoomgate(b, c.issuer, token) })
		b.Run(alg+"/golang-jwt", func(b *testing.B) { benchGolangJWT(b, alg, c.verify, token) })
	}
}

func benchRoomgate(b *testing.B, issuer auth.Issuer, token string) {
	v, err := auth.New(auth.Options{Issuers: []auth.Issuer{issuer}})
	check(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- v.Run(ctx) }()
	defer func() { cancel(); check(b, <-ended) }()
	for v.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := v.Verify(ctx, token)
		check(b, err)
	}
}

func benchGolangJWT(b *testing.B, alg string, key crypto.PublicKey, token string) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{alg}), jwt.WithIssuer("https://idp.example"), jwt.WithAudience("chat"),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding())
	keys := map[string]any{alg: key}
	find := func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if k, ok := keys[kid]; ok {
			return k, nil
		}
		return nil, io.EOF
	}
	b.ReportAllocs()
	for b.Loop() {
		t, err := parser.Parse(token, find)
		check(b, err)
		rooms, _ := t.Claims.(jwt.MapClaims)["rooms"].([]any)
		if !slices.Contains(rooms, any("room:42")) {
			b.Fatal("no rooms")
		}
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func check(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}
