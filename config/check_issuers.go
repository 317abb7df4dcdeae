package config

import (
	"net/url"
	"slices"
	"strings"
)

const (
	minSecretBytes = 32 // for the shortest hash, RFC 7518 §3.2
	generateSecret = "openssl rand -base64 48"
)

// hashBytes is the size of an algorithm's hash, and so the least that its secret may have (RFC 7518 §3.2).
var hashBytes = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

var (
	secretAlgorithms = []string{"HS256", "HS384", "HS512"}
	publicAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// checkIssuers checks auth.issuers, or else makes its one entry of the short form, and checks that.
func (l *loader) checkIssuers(c *Config) {
	if l.bad["auth.issuers"] {
		return
	}
	if !l.has("auth.issuers") {
		a := &c.Auth
		one := Issuer{
			Issuer: a.Issuer, Audience: a.Audience, InsecureAnyAudience: a.InsecureAnyAudience,
			Secrets: a.Secrets, JWKSURL: a.JWKSURL, Discovery: a.Discovery, Algorithms: a.Algorithms, Leeway: a.Leeway,
		}
		if l.checkIssuer(c, shortForm, &one) {
			a.Issuers, a.Algorithms = []Issuer{one}, one.Algorithms
		}
		return
	}
	var also []string
	for _, s := range perIssuer(shortForm) {
		if l.has(s.key) || l.bad[s.key] {
			also = append(also, s.key+" ("+l.from[s.key]+")")
		}
	}
	if len(also) > 0 {
		l.fail("auth.issuers", "set too: %s: an issuer has its own, so leave either these or auth.issuers out", strings.Join(also, ", "))
	}
	first := map[string]int{} // issuer: the first entry that has it
	for i := range c.Auth.Issuers {
		at, issuer := entry(i), &c.Auth.Issuers[i]
		if l.bad[strings.TrimSuffix(at, ".")] {
			continue
		}
		l.checkIssuer(c, at, issuer)
		j, twice := first[issuer.Issuer]
		switch {
		case len(c.Auth.Issuers) == 1 || l.bad[at+"issuer"]:
		case issuer.Issuer == "":
			l.fail(at+"issuer", "is required where there are several: it tells whose a token is")
		case twice:
			l.fail(at+"issuer", "is that of auth.issuers[%d] too", j)
		default:
			first[issuer.Issuer] = i
		}
	}
}

// checkIssuer checks the issuer under at, and fills in the algorithms that go with its keys. False: it has none.
func (l *loader) checkIssuer(c *Config, at string, issuer *Issuer) bool {
	var sources []string // of its keys: one
	for _, name := range []string{"secret", "jwks_url", "discovery"} {
		if l.has(at+name) || l.bad[at+name] {
			sources = append(sources, at+name)
		}
	}
	switch {
	case len(sources) == 0 && at == shortForm:
		l.fail("auth.secret", "is required: set JWT_SECRET, or auth.secret_file, to what signs your tokens (a new one: %s); "+
			"or, if an identity provider signs them, auth.jwks_url, or auth.discovery and auth.issuer", generateSecret)
		return false
	case len(sources) == 0:
		l.fail(strings.TrimSuffix(at, "."), "has no keys: set its secret (or secret_file), jwks_url, or discovery: true")
		return false
	case len(sources) > 1:
		l.fail(sources[1], "%s is set too (%s): keep one of the two", sources[0], l.from[sources[0]])
		return true
	}
	if issuer.InsecureAnyAudience && l.has(at+"audience") {
		l.fail(at+"insecure_any_audience", "%saudience is set too (%s): keep one of the two", at, l.from[at+"audience"])
	}
	if sources[0] == at+"secret" {
		l.checkAlgorithms(at, issuer, sources[0], secretAlgorithms)
		l.checkSecrets(at, issuer)
	} else {
		l.checkAlgorithms(at, issuer, sources[0], publicAlgorithms)
		l.checkPublic(c, at, issuer)
	}
	return true
}

// checkAlgorithms sees to it that those of issuer are among those that go with its keys, which come from source.
func (l *loader) checkAlgorithms(at string, issuer *Issuer, source string, allowed []string) {
	const name = "algorithms"
	if _, given := l.given[at+name]; !given {
		issuer.Algorithms = slices.Clone(allowed)
		return
	}
	if len(issuer.Algorithms) == 0 {
		l.fail(at+name, "is empty: no token could be verified")
	}
	for _, algorithm := range issuer.Algorithms {
		if !slices.Contains(allowed, algorithm) {
			l.fail(at+name, "%s does not go with %s: allowed are %s", algorithm, source, strings.Join(allowed, ", "))
		}
	}
}

func (l *loader) checkSecrets(at string, issuer *Issuer) {
	least := 0 // for the shortest algorithm that is on
	for _, algorithm := range issuer.Algorithms {
		if n, ok := hashBytes[algorithm]; ok && (least == 0 || n < least) {
			least = n
		}
	}
	least = max(least, minSecretBytes)
	for i, secret := range issuer.Secrets {
		if len(secret) < least {
			l.fail(at+"secret", "secret %d of %d has %d bytes, and needs %d for the shortest of %salgorithms: %s",
				i+1, len(issuer.Secrets), len(secret), least, at, generateSecret)
		}
	}
}

// checkPublic checks an issuer whose keys are fetched.
func (l *loader) checkPublic(c *Config, at string, issuer *Issuer) {
	switch {
	case issuer.JWKSURL != "":
		if problem := keyURLProblem(issuer.JWKSURL, c.Auth.InsecureHTTP); problem != "" {
			l.fail(at+"jwks_url", "%s", problem)
		}
	case issuer.Discovery && issuer.Issuer == "":
		l.fail(at+"issuer", "is required with %sdiscovery: its keys are found from there", at)
	case issuer.Discovery:
		if problem := keyURLProblem(issuer.Issuer, c.Auth.InsecureHTTP); problem != "" {
			l.fail(at+"issuer", "%s (%sdiscovery needs its URL)", problem, at)
		} else if strings.Contains(issuer.Issuer, "?") {
			l.fail(at+"issuer", "has a query, which an issuer that is discovered has not")
		}
	}
	if !l.has(at+"audience") && !issuer.InsecureAnyAudience {
		l.fail(at+"audience", "is required with public keys: whoever else the same issuer makes tokens for could enter; "+
			"or, if that is meant, set %sinsecure_any_audience", at)
	}
}

// keyURLProblem says what is wrong with the URL of keys, without showing it; empty: nothing.
func keyURLProblem(text string, insecureHTTP bool) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return "is not a URL such as https://id.example.com"
	case u.User != nil:
		return "has a user name or a password before its host: keys are public, and need none"
	case strings.Contains(text, "#"):
		return "has a fragment (#), which is never sent"
	case u.Scheme == "http" && !insecureHTTP:
		return "is http, where whoever is on the way could replace the keys: use https, or set auth.insecure_http"
	case u.Scheme != "http" && u.Scheme != "https":
		return "is not https"
	default:
		return ""
	}
}
