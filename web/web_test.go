package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

func TestMain(m *testing.M) { secrecy.Main(m) }

func playground(t *testing.T) *Page {
	t.Helper()
	p, err := Playground()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// get asks p for a file; header lines are name and value in turn.
func get(p *Page, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://gate.example.com:8080"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func TestEachFileHasAPolicyThatAllowsItsOwnHostOnly(t *testing.T) {
	p := playground(t)
	const want = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
		"connect-src 'self' ws://gate.example.com:8080 wss://gate.example.com:8080; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
	for name, f := range p.files {
		head := get(p, http.MethodGet, "/"+name).Header()
		if got := head.Get("Content-Security-Policy"); got != want {
			t.Errorf("the policy of %s is\n%s\nwant\n%s", name, got, want)
		}
		for header, want := range map[string]string{
			"Content-Type": f.kind, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
		} {
			if got := head.Get(header); got != want {
				t.Errorf("%s has %s %q, want %q", name, header, got, want)
			}
		}
	}
}

func TestHostThatIsNoneIsNotWrittenIntoThePolicy(t *testing.T) {
	for _, host := range []string{"a; script-src *", "a b", "a'", "", "[::1]:8080", strings.Repeat("a", 300)} {
		if got := policy(host); !strings.Contains(got, "connect-src 'self'; base-uri") {
			t.Errorf("of host %q the policy is %s", host, got)
		}
	}
}

func TestPagesHaveNothingInlineAndNothingFromElsewhere(t *testing.T) {
	p := playground(t)
	html := string(p.files["index.html"].content)
	if found := regexp.MustCompile(`(?i)\s(style|on\w+)=|<style|<script[^>]*>[^<]|https?://|src="/|href="/`).FindString(html); found != "" {
		t.Errorf("index.html has %q, which its policy does not allow, or which does not work below a path", found)
	}
	if found := regexp.MustCompile(`(?i)@import|url\(`).FindString(string(p.files["style.css"].content)); found != "" {
		t.Errorf("style.css has %q", found)
	}
	if found := regexp.MustCompile(`\.(innerHTML|outerHTML)\b|insertAdjacentHTML|document\.write|\beval\(|sourceMappingURL`).FindString(string(p.files["main.js"].content)); found != "" {
		t.Errorf("main.js has %q: text is set as text", found)
	}
}

func TestFileThatIsUnchangedIsNotSentAgain(t *testing.T) {
	p := playground(t)
	first := get(p, http.MethodGet, "/")
	if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), "<!doctype html>") {
		t.Fatalf("/ is %d %s", first.Code, first.Body)
	}
	again := get(p, http.MethodGet, "/", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("with its ETag / is %d, %d bytes; want 304 and none", again.Code, again.Body.Len())
	}
}

func TestOnlyFilesOfThePageAreServedAndOnlyRead(t *testing.T) {
	p := playground(t)
	for _, path := range []string{"/nothing", "/../web.go", "/dist/playground/index.html", "//index.html"} {
		if got := get(p, http.MethodGet, path).Code; got != http.StatusNotFound || p.Has(path) {
			t.Errorf("%s is %d, want 404", path, got)
		}
	}
	if got := get(p, http.MethodPost, "/").Code; got != http.StatusMethodNotAllowed {
		t.Errorf("POST / is %d, want 405", got)
	}
	if head := get(p, http.MethodHead, "/main.js"); head.Code != http.StatusOK || head.Body.Len() > 0 {
		t.Errorf("HEAD /main.js is %d with %d bytes, want 200 with none", head.Code, head.Body.Len())
	}
}
