package auth

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// inMemory is a server without a network.
type inMemory func(ctx context.Context) (string, error)

func (answer inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := answer(r.Context())
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// server is an HTTPS server, and the pool that trusts it.
func server(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

func TestAnswersThatAreNotKeys(t *testing.T) {
	good := jwks(jwkOf(p256(), `"kid":"k"`))
	elsewhere, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { write(w, good) })
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, good) }))
	t.Cleanup(plain.Close)
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	say := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { write(w, body) }
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"status 500":                 {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); write(w, good) }, "status is 500"},
		"status 204":                 {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "status is 204"},
		"a web page":                 {say("<html>sign in</html>"), "web page"},
		"101 keys":                   {say(jwks(strings.Split(strings.Repeat("{} ", 101), " ")[:101]...)), "101 keys"},
		"a huge body":                {say(`{"x":"` + strings.Repeat("x", 1<<20) + `","keys":[]}`), "longer than"},
		"a body without end":         {endless, "longer than"},
		"a huge body, compressed":    {bomb, "longer than"},
		"a redirect to another host": {redirect(elsewhere.URL + "/keys?token=hunter2"), "another host"},
		"a redirect to http":         {redirect(plain.URL + "/keys"), "another host"},
		"a redirect without end":     {redirect("/keys"), "more than 3 times"},
		"a redirect to a file":       {redirect("file:///etc/passwd"), "another host"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			write(w, good)
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s, roots := server(t, tc.answer)
			e := newEndpoint(&Issuer{JWKSURL: s.URL + "/keys?password=hunter2"}, roots)
			body, err := e.fetch(t.Context())
			if err == nil {
				_, _, err = parseKeySet(body, nil)
			}
			_ = secrecy.Error(t, err)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q in it, and no query", err, tc.want)
			}
		})
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(bytes.Repeat([]byte{' '}, 64<<10)); err != nil {
			return
		}
	}
}

func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	defer func() { _ = z.Close() }()
	for range 100 {
		if _, err := z.Write(bytes.Repeat([]byte{' '}, 1<<20)); err != nil {
			return
		}
	}
}

func TestDocumentMayMoveAboutItsOwnHost(t *testing.T) {
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		write(w, "found")
	})
	body, err := newEndpoint(&Issuer{JWKSURL: s.URL + "/old"}, roots).fetch(t.Context())
	if err != nil || string(body) != "found" {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestRedirectMayNotLeaveHTTPS(t *testing.T) {
	e := newEndpoint(&Issuer{InsecureHTTP: true}, nil)
	to := func(where string) *http.Request { return httptest.NewRequest(http.MethodGet, where, nil) }
	for _, tc := range []struct {
		from, to string
		want     bool
	}{
		{"https://idp.example/a", "https://idp.example/b", true},
		{"http://idp.example/a", "http://idp.example/b", true}, // InsecureHTTP is said, or the first would not be asked
		{"http://idp.example/a", "https://idp.example/b", true},
		{"https://idp.example/a", "http://idp.example/b", false},
		{"https://idp.example/a", "https://idp.example:8443/b", false},
		{"https://idp.example/a", "https://idp.example.evil/b", false},
	} {
		if err := e.checkRedirect(to(tc.to), []*http.Request{to(tc.from)}); (err == nil) != tc.want {
			t.Errorf("from %s to %s: %v, want it allowed: %v", tc.from, tc.to, err, tc.want)
		}
	}
}

func TestServerMustBeTrusted(t *testing.T) {
	s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { write(w, jwks()) })
	if _, err := newEndpoint(&Issuer{JWKSURL: s.URL}, x509.NewCertPool()).fetch(t.Context()); err == nil {
		t.Error("a certificate of nobody was trusted")
	}
}

func TestPlainHTTPMustBeAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		write(w, jwks(jwkOf(p256(), `"kid":"k"`)))
	}))
	t.Cleanup(s.Close)
	o := Options{Issuers: []Issuer{{JWKSURL: s.URL, AnyAudience: true}}}
	if _, err := New(o); err == nil {
		t.Error("http was accepted without InsecureHTTP")
	}
	o.Issuers[0].InsecureHTTP = true
	accepted(t, running(t, o), tokenBy("ES256", "k"))
}

func TestSlowServerIsGivenUp(t *testing.T) {
	inFakeTime(t, func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}, func(t *testing.T, v *Verifier) {
		time.Sleep(fetchTimeout + time.Millisecond)
		if err := v.Ready(); err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			t.Errorf("got %v, want that it took too long", err)
		}
	})
}

func TestDiscovery(t *testing.T) {
	var document func(url string) string
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/realm/.well-known/openid-configuration":
			write(w, document("https://"+r.Host))
		case "/realm/keys":
			write(w, "found")
		default:
			http.NotFound(w, r)
		}
	})
	for name, tc := range map[string]struct {
		issuer   string
		document func(url string) string
		want     string // in the error; "": found
	}{
		"as it should be": {"/realm", func(url string) string {
			return `{"issuer":"` + url + `/realm","jwks_uri":"` + url + `/realm/keys","scopes_supported":["openid"]}`
		}, ""},
		"with a slash at the end": {"/realm/", func(url string) string {
			return `{"issuer":"` + url + `/realm/","jwks_uri":"` + url + `/realm/keys"}`
		}, ""},
		"another slash": {"/realm", func(url string) string {
			return `{"issuer":"` + url + `/realm/","jwks_uri":"` + url + `/realm/keys"}`
		}, "another issuer"},
		"another issuer": {"/realm", func(url string) string {
			return `{"issuer":"https://idp.example","jwks_uri":"` + url + `/realm/keys"}`
		}, "another issuer"},
		"a template": {"/realm", func(url string) string {
			return `{"issuer":"` + url + `/{tenantid}","jwks_uri":"` + url + `/realm/keys"}`
		}, "another issuer"},
		"no issuer": {"/realm", func(url string) string { return `{"jwks_uri":"` + url + `/realm/keys"}` }, "another issuer"},
		"the issuer twice": {"/realm", func(url string) string {
			return `{"issuer":"x","issuer":"` + url + `/realm","jwks_uri":"` + url + `/realm/keys"}`
		}, "not a JSON object"},
		"no jwks_uri":  {"/realm", func(url string) string { return `{"issuer":"` + url + `/realm"}` }, "not a URL"},
		"keys by http": {"/realm", func(url string) string { return `{"issuer":"` + url + `/realm","jwks_uri":"http://idp.example/keys"}` }, "is http"},
		"keys in a file": {"/realm", func(url string) string {
			return `{"issuer":"` + url + `/realm","jwks_uri":"file:///etc/passwd"}`
		}, "not a URL"},
		"a web page": {"/realm", func(string) string { return "<html>" }, "web page"},
		"not there":  {"/other", nil, "status is 404"},
	} {
		t.Run(name, func(t *testing.T) {
			document = tc.document
			body, err := newEndpoint(&Issuer{Issuer: s.URL + tc.issuer, Discovery: true}, roots).fetch(t.Context())
			switch {
			case tc.want == "" && (err != nil || string(body) != "found"):
				t.Errorf("got %q, %v", body, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %q, %v, want %q in the error", body, err, tc.want)
			}
		})
	}
}

func TestLogAndMetricsTellOfFetchesAndOfNoToken(t *testing.T) {
	var mu sync.Mutex
	var logs bytes.Buffer
	log := secrecy.Log(t, slog.NewTextHandler(lockedWriter{&mu, &logs}, nil))
	registry := secrecy.Registry(t)
	p := newIDP(t, jwkOf(p256(), `"kid":"k"`), shortRSA(1024, `"kid":"weak"`))
	o := p.options()
	o.Issuers[0].JWKSURL += "?password=hunter2"
	o.Log, o.Metrics = log, registry
	v := running(t, o)
	for _, token := range []string{
		tokenBy("ES256", "CANARY"),
		signKey("ES256", p256(), `{"alg":"ES256","kid":"k"}`, with(`"iss":"CANARY"`)),
		signKey("ES256", p256(), `{"alg":"ES256","kid":"k"}`, claimsOf("CANARY")),
	} {
		_, _ = v.Verify(t.Context(), token)
	}
	if _, err := New(o); err != nil {
		t.Errorf("a second Verifier with the same registry, as for a reload: %v", err)
	}

	mu.Lock()
	text := logs.String()
	mu.Unlock()
	for _, want := range []string{"keys_fetched", "keys=1", "1024 bits", "issuer=https://idp.example"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log does not say %q:\n%s", want, text)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			text += m.String()
			values[f.GetName()] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if values["roomgate_auth_keys"] != 1 || values["roomgate_auth_key_fetches_total"] < 2 || values["roomgate_auth_keys_fetched_timestamp_seconds"] < 1e9 {
		t.Errorf("metrics are %v", values)
	}
	for _, bad := range []string{"CANARY", "hunter2"} {
		if strings.Contains(text, bad) {
			t.Errorf("log or metrics have %q:\n%s", bad, text)
		}
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
