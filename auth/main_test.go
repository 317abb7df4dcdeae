package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

func TestMain(m *testing.M) {
	secrecy.Secret(string(secret32), string(secret64), string(stranger))
	secrecy.Main(m, secrecy.Logs, secrecy.Pages, secrecy.Errors)
}

const (
	never   = "4102444800" // exp in 2100
	hs256   = `{"alg":"HS256","typ":"JWT"}`
	minimal = `{"exp":` + never + `}`
)

var (
	secret32 = []byte("0123456789abcdef0123456789abcdef")
	secret64 = []byte(strings.Repeat("another secret. ", 4))
	stranger = []byte(strings.Repeat("not ours ", 8))
)

// sign makes a token by hand, so that it can be wrong in any way.
func sign(secret []byte, header, payload string) string {
	return seal(sha256.New, secret, encode(header)+"."+encode(payload))
}

func seal(h func() hash.Hash, secret []byte, signed string) string {
	mac := hmac.New(h, secret)
	mac.Write([]byte(signed))
	return signed + "." + encode(string(mac.Sum(nil)))
}

func sign512(secret []byte, payload string) string {
	return seal(sha512.New, secret, encode(`{"alg":"HS512"}`)+"."+encode(payload))
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// with returns claims that have an exp and members.
func with(members string) string { return fmt.Sprintf(`{"exp":%s,%s}`, never, members) }

func newVerifier(t testing.TB, change ...func(*Options)) *Verifier {
	t.Helper()
	o := Options{Issuers: []Issuer{{Secrets: [][]byte{secret32}}}}
	for _, f := range change {
		f(&o)
	}
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// grantOf returns what the claims grant, signed as they should be.
func grantOf(t testing.TB, v *Verifier, claims string) *Grant {
	t.Helper()
	g, err := v.Verify(t.Context(), sign(secret32, hs256, claims))
	if err != nil {
		t.Fatalf("Verify(%s): %v", claims, err)
	}
	return g
}
