package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// bySeveral has an issuer of each kind.
func bySeveral(t *testing.T) string {
	return `
auth:
  issuers:
    - issuer: https://api.example.com
      secret_file: ` + write(t, "secret", goodSecret+"\n"+goodSecret+"2\n") + `
      audience: "a, b"
    - issuer: https://id.example.com/
      discovery: true
      audience: [chat]
      algorithms: [EdDSA]
      leeway: 0
    - issuer: legacy
      jwks_url: https://keys.example.com/jwks?v=1
      insecure_any_audience: true
    - issuer: other
      secret: |
        ` + goodSecret + `
`
}

func TestIssuersAreReadFromTheFile(t *testing.T) {
	c, err := load(t, bySeveral(t))
	if err != nil {
		t.Fatal(err)
	}
	none := []Secret{}
	want := []Issuer{
		{Issuer: "https://api.example.com", Audience: []string{"a", "b"}, Secrets: []Secret{goodSecret, goodSecret + "2"},
			Algorithms: secretAlgorithms, Leeway: 30 * time.Second},
		{Issuer: "https://id.example.com/", Audience: []string{"chat"}, Secrets: none, Discovery: true, Algorithms: []string{"EdDSA"}},
		{Issuer: "legacy", Audience: []string{}, Secrets: none, JWKSURL: "https://keys.example.com/jwks?v=1",
			Algorithms: publicAlgorithms, Leeway: 30 * time.Second, InsecureAnyAudience: true},
		{Issuer: "other", Audience: []string{}, Secrets: []Secret{goodSecret}, Algorithms: secretAlgorithms, Leeway: 30 * time.Second},
	}
	if !reflect.DeepEqual(c.Auth.Issuers, want) {
		t.Errorf("got\n%+v\nwant\n%+v", c.Auth.Issuers, want)
	}
	if got, want := c.Warnings(), "auth.issuers[2].insecure_any_audience: "; len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("warnings are %q, want one of %s", got, want)
	}
}

func TestTheShortFormIsOneIssuer(t *testing.T) {
	for name, test := range map[string]struct {
		given []string
		want  Issuer
	}{
		"secret": {
			[]string{signed, "ROOMGATE_AUTH_ISSUER=me", "--auth.audience=a,b", "--auth.leeway=1s", "--auth.algorithms=HS512"},
			Issuer{Issuer: "me", Audience: []string{"a", "b"}, Secrets: []Secret{goodSecret}, Algorithms: []string{"HS512"}, Leeway: time.Second},
		},
		"JWKS": {
			[]string{"ROOMGATE_AUTH_JWKS_URL=https://h/k", "--auth.insecure_any_audience"},
			Issuer{Audience: []string{}, Secrets: []Secret{}, JWKSURL: "https://h/k", Algorithms: publicAlgorithms, Leeway: 30 * time.Second,
				InsecureAnyAudience: true},
		},
		"discovery": {
			[]string{"--auth.discovery", "--auth.issuer=https://h/", "--auth.audience=a", "--auth.algorithms=ES256,RS256", "JWT_SECRET="},
			Issuer{Issuer: "https://h/", Audience: []string{"a"}, Secrets: []Secret{}, Discovery: true,
				Algorithms: []string{"ES256", "RS256"}, Leeway: 30 * time.Second},
		},
		"beside empty issuers": {
			[]string{"ROOMGATE_CONFIG=" + write(t, "file", "auth: {issuers: []}"), signed},
			Issuer{Audience: []string{}, Secrets: []Secret{goodSecret}, Algorithms: secretAlgorithms, Leeway: 30 * time.Second},
		},
	} {
		c, err := load(t, "", test.given...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := []Issuer{test.want}; !reflect.DeepEqual(c.Auth.Issuers, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, c.Auth.Issuers, want)
		}
		if !slices.Equal(c.Auth.Algorithms, test.want.Algorithms) {
			t.Errorf("%s: auth.algorithms is %q, want %q", name, c.Auth.Algorithms, test.want.Algorithms)
		}
	}
}

func TestEmptySettingsOfTheShortFormMayStandBesideIssuers(t *testing.T) {
	const empty = "\n  secret: ''\n  secret_file: ''\n  audience: []\n  issuer: ''\n  jwks_url:\n  discovery: false\n"
	if _, err := load(t, strings.TrimSpace(bySeveral(t))+empty, "JWT_SECRET="); err != nil {
		t.Error(err)
	}
}

func TestIssuersBesideTheShortFormAreRefusedWithItsName(t *testing.T) {
	_, err := load(t, bySeveral(t)+"  leeway: 0\n", signed, "--auth.audience=a")
	const want = "auth.issuers (file "
	if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v, want one error of %s", err, want)
	}
	for _, also := range []string{"auth.secret (environment JWT_SECRET)", "auth.audience (flag --auth.audience)", "auth.leeway (file "} {
		if !strings.Contains(err.Error(), also) {
			t.Errorf("%q is not told in %v", also, err)
		}
	}
}

func TestIssuersCanBeInTheFileOnly(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "ROOMGATE_AUTH_ISSUERS=[]", "environment ROOMGATE_AUTH_ISSUERS: auth.issuers can be in the file only"},
		{"", "ROOMGATE_AUTH_ISSUERR=x", "did you mean ROOMGATE_AUTH_ISSUER?"},
	})
}

func TestWhatIsWrongWithAllIssuersIsToldAtOnce(t *testing.T) {
	_, err := load(t, `
auth:
  issuers:
    - {issuer: a, jwks_uri: https://h, secret: `+goodSecret+`}
    - {issuer: b, discovery: maybe, frobnicate: 1, audience: [1], leeway: 6m, algorithms: [none]}
    - {issuer: 5, secret_file: /nowhere}
    - a string
    - {issuer: c}
    - {issuer: a, secret: `+goodSecret+`}
    - {secret: `+goodSecret+`}
`)
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"auth.issuers[0].jwks_uri (file |): no such setting of an issuer: did you mean jwks_url?",
		"auth.issuers[1].frobnicate (file |): no such setting of an issuer; it has secret, secret_file, jwks_url,",
		`auth.issuers[1].discovery (file |): "maybe" is not true or false`,
		"auth.issuers[1].audience (file |): [1] is not a list",
		`auth.issuers[1].algorithms (file |): "none" is not one of HS256`,
		"auth.issuers[1].leeway (file |): 6m is more than 5m",
		"auth.issuers[2].secret_file (file |): reading the secret: open /nowhere",
		"auth.issuers[2].issuer (file |): 5 is not a string",
		"auth.issuers[3] (file |): its value is not an issuer, such as {issuer: ",
		"auth.issuers[4] (file |): has no keys: set its secret (or secret_file), jwks_url, or discovery: true",
		"auth.issuers[5].issuer (file |): is that of auth.issuers[0] too",
		"auth.issuers[6].issuer (file |): is required where there are several",
	}
	for _, w := range want {
		before, after, _ := strings.Cut(w, "|")
		told := func(line string) bool { return strings.HasPrefix(line, before) && strings.Contains(line, after) }
		if !slices.ContainsFunc(strings.Split(err.Error(), "\n"), told) {
			t.Errorf("%q is not told in\n%v", w, err)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != len(want) {
		t.Errorf("%d errors, want %d:\n%v", got, len(want), err)
	}
}
