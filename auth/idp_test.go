package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// Keys of the tests, made once.
var (
	rsaOne  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	rsaTwo  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p256Two = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	ed      = sync.OnceValue(func() ed25519.PrivateKey {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return must(private, err)
	})
)

// write is io.WriteString to whom it cannot matter that it failed: a hash, or a client that will see.
func write(w io.Writer, s string) { _, _ = io.WriteString(w, s) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// keyFor is a private key for alg.
func keyFor(alg string) crypto.Signer {
	switch alg {
	case "ES256":
		return p256()
	case "ES384":
		return p384()
	case "ES512":
		return p521()
	case "EdDSA":
		return ed()
	}
	return rsaOne()
}

// signKey makes a token by hand, by alg whatever the header says, with the standard library alone.
func signKey(alg string, private crypto.Signer, header, payload string) string {
	signed := encode(header) + "." + encode(payload)
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[alg[2:]]
	if private, ok := private.(ed25519.PrivateKey); ok {
		return signed + "." + encode(string(ed25519.Sign(private, []byte(signed))))
	}
	h := hash.New()
	write(h, signed)
	digest := h.Sum(nil)
	var signature []byte
	switch private := private.(type) {
	case *rsa.PrivateKey:
		if alg[0] == 'P' {
			signature = must(rsa.SignPSS(rand.Reader, private, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		} else {
			signature = must(rsa.SignPKCS1v15(nil, private, hash, digest))
		}
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		must(r, err)
		size := (private.Curve.Params().BitSize + 7) / 8
		signature = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	return signed + "." + encode(string(signature))
}

// tokenBy is a good token of the test's issuer, signed by alg with the key called kid.
func tokenBy(alg, kid string) string {
	return signKey(alg, keyFor(alg), fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid), claimsOf("u42"))
}

func claimsOf(sub string) string {
	return with(fmt.Sprintf(`"iss":"https://idp.example","aud":"chat","sub":%q`, sub))
}

// jwkOf is the JWK of a public key, with more members.
func jwkOf(private crypto.Signer, members string) string {
	var own string
	switch public := private.Public().(type) {
	case *rsa.PublicKey:
		own = fmt.Sprintf(`"kty":"RSA","n":%q,"e":"AQAB"`, encode(string(public.N.Bytes())))
	case *ecdsa.PublicKey:
		point := must(public.Bytes())
		size := len(point) / 2
		own = fmt.Sprintf(`"kty":"EC","crv":%q,"x":%q,"y":%q`, public.Curve.Params().Name,
			encode(string(point[1:1+size])), encode(string(point[1+size:])))
	case ed25519.PublicKey:
		own = fmt.Sprintf(`"kty":"OKP","crv":"Ed25519","x":%q`, encode(string(public)))
	}
	return "{" + own + "," + members + "}"
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// shortRSA is the JWK of an RSA key of so many bits.
func shortRSA(bits uint, members string) string {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB",%s}`, encode(string(n.Add(n, big.NewInt(1)).Bytes())), members)
}

// An idp is an identity provider: a real HTTPS server of a key set.
type idp struct {
	*httptest.Server
	t       testing.TB
	keys    atomic.Pointer[string] // what /keys answers
	fetches atomic.Int64           // of /keys
}

func newIDP(t testing.TB, keys ...string) *idp {
	t.Helper()
	p := &idp{t: t}
	p.publish(keys...)
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/keys" {
			http.NotFound(w, r)
			return
		}
		p.fetches.Add(1)
		write(w, *p.keys.Load())
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *idp) publish(keys ...string) {
	set := jwks(keys...)
	p.keys.Store(&set)
}

func (p *idp) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return pool
}

// options are those of a gateway that trusts p.
func (p *idp) options() Options {
	return Options{
		Issuers: []Issuer{{Issuer: "https://idp.example", Audience: []string{"chat"}, JWKSURL: p.URL + "/keys"}},
		RootCAs: p.roots(), Log: secrecy.Log(p.t), Metrics: secrecy.Registry(p.t),
	}
}

// running is the Verifier of o, with keys, until the test ends.
func running(t testing.TB, o Options) *Verifier {
	t.Helper()
	v, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	run(t, v)
	for start := time.Now(); v.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal(v.Ready())
		}
	}
	return v
}

// run lets v fetch until the test ends.
func run(t testing.TB, v *Verifier) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var own sync.WaitGroup
	own.Go(func() {
		if err := v.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); own.Wait() })
}

// accepted checks that each of tokens is.
func accepted(t testing.TB, v *Verifier, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("Verify: %v", err)
		}
	}
}
