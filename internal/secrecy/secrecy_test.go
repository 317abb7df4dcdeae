package secrecy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	header  = "eyJhbGciOiJIUzI1NiJ9"
	payload = "eyJzdWIiOiJ1MSJ9"
	token   = header + "." + payload + ".c2lnbmF0dXJl"
	planted = `a secret + that "was" <planted>`
)

// heard is what a sink tells that has looked at one text.
func heard(text string) (found string) {
	s := &sink{}
	s.secret(planted)
	s.look(Logs, "TestX", []byte(text))
	var told bytes.Buffer
	s.tell(&told, nil)
	return told.String()
}

func TestWhatIsSecretIsFoundAndNotRepeated(t *testing.T) {
	inJSON, _ := json.Marshal(`{"type":"auth","token":"hunter2"}`) // a string: cannot fail
	for name, text := range map[string]string{
		"a token":                   token,
		"without its signature":     header + "." + payload,
		"cut in its payload":        token[:len(header)+12],
		"in the middle of words":    `{"error":"cannot use ` + token + ` here"}`,
		"its dots percent-encoded":  strings.ReplaceAll(token, ".", "%2E"),
		"encoded twice":             strings.ReplaceAll(token, ".", "%252e"),
		"every byte of it":          percent(token),
		"as a bearer":               "Authorization: Bearer hunter2hunter2",
		"in a subprotocol":          "roomgate.v1, bearer.hunter2hunter2",
		"in a query":                "GET /ws?room=1&token=hunter2 HTTP/1.1",
		"in a query that is one":    "uri=" + url.QueryEscape("/ws?token=hunter2"),
		"in a frame":                `{"type":"auth","token":"hunter2"}`,
		"in a frame in JSON":        `{"msg":` + string(inJSON) + `}`,
		"a password of Redis":       "dialing rediss://user:hunter2@redis.example:6379",
		"one without a user":        "redis://:hunter2@redis.example",
		"a private key":             "-----BEGIN EC PRIVATE KEY-----",
		"another":                   "-----BEGIN PRIVATE KEY-----",
		"a secret":                  "got " + planted + "!",
		"in base64":                 base64.StdEncoding.EncodeToString([]byte(planted)),
		"in base64url":              base64.RawURLEncoding.EncodeToString([]byte(planted)),
		"in base64 of more":         base64.StdEncoding.EncodeToString([]byte("{" + planted + "}")),
		"and at the third place":    base64.URLEncoding.EncodeToString([]byte("of" + planted + "!")),
		"and followed by more":      base64.RawStdEncoding.EncodeToString([]byte("abc" + planted + "and more")),
		"in JSON":                   quoted(planted),
		"in JSON, not for HTML":     `{"msg":"` + strings.ReplaceAll(planted, `"`, `\"`) + `"}`,
		"in hex":                    fmt.Sprintf("%x", planted),
		"in capitals":               fmt.Sprintf("%X", planted),
		"a secret, percent-encoded": url.PathEscape(planted),
	} {
		found := heard(text)
		if !strings.HasPrefix(found, "secrecy: TestX: ") {
			t.Errorf("%s is not found in %q", name, text)
		}
		for _, secret := range []string{payload, "hunter2", planted, "c2lnbmF0dXJl"} {
			if strings.Contains(found, secret) {
				t.Errorf("%s: the finding repeats it: %s", name, found)
			}
		}
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(map[string]string{"msg": s}) // cannot fail
	return string(b)
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func TestWhatOnlySpeaksOfTokensIsNotFound(t *testing.T) {
	for _, text := range []string{
		`{"error":"the token is missing: offer bearer.<jwt>"}`, `npx wscat -c "ws://127.0.0.1/ws?token=$T"`, "Bearer token", "bearer.",
		"redis://host:6379", "is not such as redis://user:password@host:6379/0", "100% of eyJ.", `{"token":""}`, "-----BEGIN CERTIFICATE-----",
		"a secret that was not planted", "",
	} {
		if found := heard(text); strings.Contains(found, "is in the") {
			t.Errorf("%q is taken for a secret: %s", text, found)
		}
	}
}

func TestATokenInALogIsFoundHoweverItIsWritten(t *testing.T) {
	long := strings.Repeat("x", maxLine-30)
	for name, parts := range map[string][]string{
		"in one write":              {"before\n" + token + "\nafter\n"},
		"in two":                    {"a line\n" + token[:25], token[25:] + "\n"},
		"byte by byte":              strings.Split(token+"\n", ""),
		"in a line without an end":  {token},
		"beyond the longest line":   {long, token + "\n"},
		"far beyond it":             {long + long + long, token, long},
		"across the longest line":   {long + token + long},
		"in the middle of a flood":  {strings.Repeat("y\n", 1<<16) + token + strings.Repeat("\ny", 1<<16)},
		"after an overlap of parts": {strings.Repeat("z", maxLine-overlap+5) + token + "\n"},
	} {
		s := &sink{}
		w := &writer{sink: s, name: name}
		for _, part := range parts {
			if n, err := io.WriteString(w, part); n != len(part) || err != nil {
				t.Errorf("%s: Write returned %d, %v, want %d", name, n, err, len(part))
			}
		}
		if cap(w.rest) > 2*maxLine {
			t.Errorf("%s: %d bytes are held", name, cap(w.rest))
		}
		w.flush()
		if s.found == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestATokenInAStructuredLogIsFound(t *testing.T) {
	s := &sink{}
	log := slog.New(slog.NewJSONHandler(&writer{sink: s, name: "TestX"}, nil))
	log.Info("refused", "error", fmt.Errorf("parsing %q: %w", "/ws?x=1&token="+token, errors.New("bad")))
	if s.found != 1 {
		t.Errorf("%d findings, want 1", s.found)
	}
}

func TestAnAttributeThatSaysNothingIsFound(t *testing.T) {
	type mute struct{ addr string }
	for want, value := range map[bool][]any{
		true:  {mute{"a:1"}, &mute{"a:1"}, func() {}},
		false: {"a", `":{}`, errors.New("b"), struct{ A string }{"c"}, []string{}},
	} {
		for _, v := range value {
			s := &sink{}
			slog.New(slog.NewJSONHandler(&writer{sink: s, name: "TestX"}, nil)).Info("up", "addr", v, "rooms", 1)
			if got := s.found == 1; got != want {
				t.Errorf("%#v: found = %v, want %v", v, got, want)
			}
		}
	}
	s := &sink{}
	s.search(Logs, "TestX", []byte(`{"ended":{},"rooms":1}`))
	if s.found != 0 {
		t.Error("an empty object of a report is taken for an attribute")
	}
}

func TestATokenInAMetricIsFound(t *testing.T) {
	s := &sink{}
	r := prometheus.NewRegistry()
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "refused_total"}, []string{"reason"})
	r.MustRegister(c)
	s.metrics(t, r)
	c.WithLabelValues("expired").Inc()
	s.metrics(t, r)
	if s.found != 0 {
		t.Fatalf("found %q", s.findings)
	}
	c.WithLabelValues("kid " + token).Inc()
	s.metrics(t, r)
	if s.found != 1 || s.looked[Pages].Load() != 3 {
		t.Errorf("%d findings in %d pages, want 1 in 3", s.found, s.looked[Pages].Load())
	}
}

func TestALookAtNothingIsNoProof(t *testing.T) {
	s := &sink{}
	s.look(Logs, "TestX", []byte("fine"))
	if !s.tell(io.Discard, []Kind{Logs}) {
		t.Error("a line of log is not enough for a package that has only logs")
	}
	var told bytes.Buffer
	if s.tell(&told, []Kind{Logs, Pages}) || !strings.Contains(told.String(), "no pages of metrics") {
		t.Errorf("without a page of metrics it said %q", told.String())
	}
}

func TestFindingsAreBounded(t *testing.T) {
	s := &sink{}
	for range 5 * maxFindings {
		s.look(Errors, "TestX", []byte(token))
	}
	var told bytes.Buffer
	if s.tell(&told, nil) || len(s.findings) != maxFindings || !strings.Contains(told.String(), "and 80 more") {
		t.Errorf("kept %d findings, and said\n%s", len(s.findings), told.String())
	}
}

func TestWhatAProcessFoundIsTakenOver(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(reportVariable, dir)
	s := &sink{}
	b, err := json.Marshal(report{Lines: 7, Findings: []string{"a finding"}})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "roomgate-1"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.takeReports(dir); err != nil || s.found != 1 || s.looked[Logs].Load() != 7 {
		t.Errorf("took over %d findings in %d lines, %v", s.found, s.looked[Logs].Load(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "roomgate-2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.takeReports(dir); err == nil || !strings.Contains(err.Error(), "roomgate-2") {
		t.Errorf("of a process that reported nothing: %v", err)
	}
}

func TestFindingsAreToldAlsoIfAProcessReportsNothing(t *testing.T) {
	dir := t.TempDir()
	s := &sink{}
	s.look(Logs, "TestX", []byte(token))
	b, err := json.Marshal(report{Lines: 1, Findings: []string{"a finding of a process"}})
	if err == nil { // the one without a report is read first
		err = errors.Join(os.WriteFile(filepath.Join(dir, "a-1"), nil, 0o600), os.WriteFile(filepath.Join(dir, "b-2"), b, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	if s.conclude(&told, dir, nil) {
		t.Error("all is well, it says")
	}
	for _, want := range []string{"a-1, ended without its report", "secrecy: TestX: a JWT is in the lines of log", "a finding of a process"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%q is not told: %s", want, told.String())
		}
	}
}
