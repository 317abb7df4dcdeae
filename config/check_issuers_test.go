package config

import (
	"strings"
	"testing"
)

func TestWithoutKeysThereIsNoStart(t *testing.T) {
	_, err := load(t, "", "--auth.issuer=x")
	for _, want := range []string{"auth.secret (default): is required: set JWT_SECRET", "auth.secret_file", "auth.jwks_url", "auth.discovery"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAnIssuerHasOneSourceOfKeys(t *testing.T) {
	checkRefusals(t, []refusal{
		{"", "--auth.jwks_url=https://h", "auth.jwks_url (flag --auth.jwks_url): auth.secret is set too (environment JWT_SECRET)"},
		{"", "--auth.discovery", "auth.discovery (flag --auth.discovery): auth.secret is set too"},
	})
	checkRefusalsWith(t, []refusal{
		{"auth: {jwks_url: https://h, discovery: true}", "", "auth.discovery (file "},
		{"auth: {issuers: [{jwks_url: https://h, discovery: true}]}", "", "auth.issuers[0].jwks_url is set too (file "},
		{"auth: {issuers: [{discovery: false}]}", "", "auth.issuers[0] (file "},
		{"auth: {issuers: {issuer: a}}", "", "its value is not a list of issuers, such as [{"},
		{"auth: {issuers: 5}", "", "its value is not a list of issuers, such as [{"},
		{"auth: {secret_file: /nowhere}", "", "reading the secret"},
		{"auth: {issuers: [{secret: ''}]}", "", "has no keys"},
	})
}

func TestPublicKeysNeedAnAudience(t *testing.T) {
	checkRefusalsWith(t, []refusal{
		{"", "--auth.jwks_url=https://h", "auth.audience (default): is required with public keys"},
		{"", "--auth.jwks_url=https://h", "set auth.insecure_any_audience"},
		{"auth: {discovery: true, issuer: https://h, audience: []}", "", "is required with public keys"},
		{"auth: {issuers: [{jwks_url: https://h}]}", "", "set auth.issuers[0].insecure_any_audience"},
		{"auth: {jwks_url: https://h, audience: a}", "--auth.insecure_any_audience", "auth.audience is set too"},
	})
	if _, err := load(t, "auth: {jwks_url: https://h, insecure_any_audience: true}"); err != nil {
		t.Error(err)
	}
}

func TestAlgorithmsGoWithTheKeys(t *testing.T) {
	for _, algorithm := range publicAlgorithms {
		if _, err := load(t, "", "--auth.jwks_url=https://h", "--auth.audience=a", "--auth.algorithms="+algorithm); err != nil {
			t.Errorf("%s with public keys: %v", algorithm, err)
		}
		checkRefusals(t, []refusal{{"", "--auth.algorithms=HS256," + algorithm, algorithm + " does not go with auth.secret: allowed are HS256, HS384, HS512"}})
	}
	for _, algorithm := range secretAlgorithms {
		checkRefusalsWith(t, []refusal{
			{"auth: {issuers: [{jwks_url: https://h, audience: a, algorithms: [RS256, " + algorithm + "]}]}", "",
				algorithm + " does not go with auth.issuers[0].jwks_url: allowed are RS256"},
			{"auth: {discovery: true, issuer: https://h, audience: a, algorithms: " + algorithm + "}", "", algorithm + " does not go with auth.discovery"},
			{"auth: {issuers: [{jwks_url: https://h, audience: a, algorithms: []}]}", "", "auth.issuers[0].algorithms (file "},
		})
	}
}

func TestURLsOfKeysAreChecked(t *testing.T) {
	const audience = "--auth.audience=a"
	for _, url := range []string{"https://h", "https://h:8443/a/b?c=d", "HTTPS://h", "https://[::1]/"} {
		if _, err := load(t, "", "--auth.jwks_url="+url, audience); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, given := range []string{"--auth.jwks_url=http://h", "--auth.jwks_url=https://h"} {
		if _, err := load(t, "", given, audience, "--auth.insecure_http"); err != nil {
			t.Errorf("%s with auth.insecure_http: %v", given, err)
		}
	}
	checkRefusalsWith(t, []refusal{
		{"", "--auth.jwks_url=http://h", "set auth.insecure_http"},
		{"", "--auth.jwks_url=h", "is not a URL"},
		{"", "--auth.jwks_url=https:h", "is not a URL"},
		{"", "--auth.jwks_url=https:///x", "is not a URL"},
		{"", "--auth.jwks_url=https://h:port", "is not a URL"},
		{"", "--auth.jwks_url=ftp://h", "is not https"},
		{"auth: {insecure_http: true}", "--auth.jwks_url=file://h/x", "is not https"},
		{"", "--auth.jwks_url=https://u@h", "has a user name or a password"},
		{"", "--auth.jwks_url=https://@h", "has a user name or a password"},
		{"", "--auth.jwks_url=https://h#", "has a fragment"},
		{"", "--auth.discovery", "auth.issuer (default): is required with auth.discovery"},
		{"auth: {discovery: true}", "--auth.issuer=me", "is not a URL such as https://id.example.com (auth.discovery needs its URL)"},
		{"auth: {discovery: true}", "--auth.issuer=http://h", "set auth.insecure_http"},
		{"auth: {discovery: true}", "--auth.issuer=https://h?x=y", "has a query"},
		{"auth: {discovery: true}", "--auth.issuer=https://h#x", "has a fragment"},
	}, audience)
	checkRefusalsWith(t, []refusal{
		{"auth: {issuers: [{discovery: true, audience: a}]}", "", "auth.issuers[0].issuer (file "},
		{"auth: {issuers: [{jwks_url: http://h, audience: a}]}", "", "auth.issuers[0].jwks_url (file "},
	})
}

func TestShortSecretOfAnIssuerIsRefusedByItsPlace(t *testing.T) {
	checkRefusalsWith(t, []refusal{
		{"auth: {issuers: [{secret: [" + goodSecret + ", short]}]}", "",
			"secret 2 of 2 has 5 bytes, and needs 32 for the shortest of auth.issuers[0].algorithms"},
		{"auth: {issuers: [{secret: " + goodSecret[:40] + ", algorithms: HS384}]}", "", "has 40 bytes, and needs 48"},
	})
}

func TestEveryInsecureSettingIsWarnedOf(t *testing.T) {
	c, err := load(t, "", "--auth.jwks_url=http://h", "--auth.insecure_http", "--auth.insecure_any_audience", "--http.insecure_any_origin")
	if err != nil {
		t.Fatal(err)
	}
	warnings := strings.Join(c.Warnings(), "\n")
	for _, s := range table {
		if _, name, _ := strings.Cut(s.key, "."); strings.HasPrefix(name, "insecure_") && !strings.Contains(warnings, s.key+": ") {
			t.Errorf("no warning of %s in\n%s", s.key, warnings)
		}
	}
	c, err = load(t, "auth: {issuers: [{issuer: a, secret: "+goodSecret[:40]+"}]}")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Warnings(), "auth.issuers[0].secret: secret 1 of 1 has 40 bytes"; len(got) != 1 || !strings.HasPrefix(got[0], want) {
		t.Errorf("warnings are %q, want one of %s", got, want)
	}
}

func TestASectionThatIsNotUsedMayLackIssuers(t *testing.T) {
	for _, yaml := range []string{"{}", "auth: {issuers: [{issuer: a}, 5]}", "auth: {issuers: 5}"} {
		if _, err := Load(Source{File: write(t, "f.yaml", yaml), Only: []string{"redis"}}); err != nil {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}
