package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// A keySet is the server of an issuer's public keys, which the test rotates.
type keySet struct {
	url     string
	set     atomic.Pointer[string] // what it answers
	fetches atomic.Int64
}

func startKeySet(t testing.TB, keys ...string) *keySet {
	t.Helper()
	k := &keySet{}
	k.publish(keys...)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.fetches.Add(1)
		_, _ = w.Write([]byte(*k.set.Load())) // roomgate will say if it has not come
	}))
	t.Cleanup(s.Close)
	k.url = s.URL
	return k
}

func (k *keySet) publish(keys ...string) {
	set := `{"keys":[` + strings.Join(keys, ",") + `]}`
	k.set.Store(&set)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk is the public part of key, called kid.
func jwk(t testing.TB, key *ecdsa.PrivateKey, kid string) string {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":%q,"x":%q,"y":%q}`,
		kid, base64url(point[1:33]), base64url(point[33:]))
}

// signedBy is a token of its own user for room 42, signed with key, called kid.
func signedBy(t testing.TB, key *ecdsa.PrivateKey, kid, sub string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"sub": sub, "aud": "chat", "rooms": []string{"42"}, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed := base64url([]byte(`{"alg":"ES256","kid":"`+kid+`"}`)) + "." + base64url(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64url(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// A crowd are clients that connect with tokens of either key.
type crowd struct {
	t       testing.TB
	url     string
	clients []*wstest.Client
	letIn   map[string]*atomic.Int64 // by kid; the map is set before use
	slowest atomic.Int64             // ns, from a token to hello
}

// connect connects client i, and reads hello. It may be called from any goroutine.
func (c *crowd) connect(i int, key *ecdsa.PrivateKey, kid string) {
	token := signedBy(c.t, key, kid, fmt.Sprint("u", i))
	began := time.Now()
	client, err := wstest.Try(c.t, c.url, "Sec-WebSocket-Protocol: "+v1+", bearer."+token)
	if err != nil {
		c.t.Errorf("client %d: %v", i, err)
		return
	}
	if f, err := client.NextErr(); err != nil || !strings.HasPrefix(string(f.Payload), `{"type":"hello"`) {
		c.t.Errorf("client %d, with the %s key: got %v %v, want hello", i, kid, f, err)
		return
	}
	c.clients[i] = client
	c.letIn[kid].Add(1)
	took := int64(time.Since(began))
	for seen := c.slowest.Load(); took > seen && !c.slowest.CompareAndSwap(seen, took); {
		seen = c.slowest.Load()
	}
}

// While 1000 clients connect, the issuer publishes a new key and signs with it at once, and a while
// later withdraws the old one, of which there are tokens still. Nobody is refused, and all hear
// what is published then.
func TestKeyRotationRefusesNoneOfAThousandClients(t *testing.T) {
	const clients, published, withdrawn = 1000, 200, 900 // the new key, and the old one, after so many
	old, fresh := newKey(t), newKey(t)
	keys := startKeySet(t, jwk(t, old, "old"))
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "JWT_SECRET=", "ROOMGATE_AUTH_JWKS_URL="+keys.url, "ROOMGATE_AUTH_INSECURE_HTTP=true", "ROOMGATE_AUTH_AUDIENCE=chat")
	fetched := keys.fetches.Load()
	c := &crowd{t: t, url: r.url, clients: make([]*wstest.Client, clients), letIn: map[string]*atomic.Int64{"old": {}, "fresh": {}}}
	connect := func(from, to int) {
		each(to-from, func(i int) {
			if i += from; i >= published && (i-published)%8 < 5 { // 500 of the 800 who come after it
				c.connect(i, fresh, "fresh")
			} else {
				c.connect(i, old, "old")
			}
		})
	}
	connect(0, published)
	keys.publish(jwk(t, old, "old"), jwk(t, fresh, "fresh"))
	rotated := time.Now()
	connect(published, withdrawn)
	keys.publish(jwk(t, fresh, "fresh"))
	overlap := time.Since(rotated)
	connect(withdrawn, clients)

	if err := redis.Client().Publish(t.Context(), "room:42", `{"to":"all"}`).Err(); err != nil {
		t.Fatal(err)
	}
	for _, client := range c.clients {
		if client != nil {
			client.WantText(`{"type":"message","room":"42","data":{"to":"all"}}`)
		}
	}
	byOld, byFresh := c.letIn["old"].Load(), c.letIn["fresh"].Load()
	t.Logf("%d clients with the old key and %d with the new one, both published for %v: %d refused; %d fetches; slowest to hello %v",
		byOld, byFresh, overlap.Round(time.Millisecond), clients-byOld-byFresh, keys.fetches.Load()-fetched, time.Duration(c.slowest.Load()).Round(time.Millisecond))
	if byOld != clients/2 || byFresh != clients/2 {
		t.Errorf("%d with the old key and %d with the new one were let in, want %d of each", byOld, byFresh, clients/2)
	}
	if n := keys.fetches.Load() - fetched; n != 1 {
		t.Errorf("the new key was fetched %d times, want once", n)
	}
}
