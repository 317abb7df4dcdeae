package auth

import (
	"fmt"
	"strings"
	"time"
)

// These say, for an operator, what each check of an exam has found. They are called whether it
// passed or not, and quote whatever the token has chosen.

func (x *exam) sizeWords() string {
	return fmt.Sprintf("%d bytes, of at most %d", len(x.token), maxToken)
}

func (x *exam) formWords() string {
	if x.signed == nil {
		return ""
	}
	return "three parts of base64url: two JSON objects and a signature"
}

func (x *exam) headerWords() string {
	var words []string
	for _, name := range []string{"alg", "typ", "kid"} {
		if v, ok := x.header[name]; ok {
			words = append(words, name+" "+quoteAny(v))
		} else {
			words = append(words, "no "+name)
		}
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"} {
		if x.header.has(name) {
			words = append(words, name+" is ignored")
		}
	}
	return strings.Join(words, ", ")
}

func (x *exam) issuerWords() string {
	iss := "no iss"
	if v, ok := x.payload["iss"]; ok {
		iss = "iss " + quoteAny(v)
	}
	for i, configured := range x.v.issuers {
		kind := "shared secrets"
		if _, fetched := configured.keys.(*fetchedKeys); fetched {
			kind = "published keys"
		}
		if configured != x.issuer {
			continue
		}
		if configured.iss == "" {
			return iss + ": the only issuer accepts any; it has " + kind
		}
		return fmt.Sprintf("%s: issuer %d of %d, which has %s", iss, i+1, len(x.v.issuers), kind)
	}
	var names []string
	for _, configured := range x.v.issuers {
		names = append(names, quote(configured.iss))
	}
	return iss + "; configured: " + listed(names, "")
}

func (x *exam) algorithmWords() string {
	if x.alg != nil {
		return x.alg.name + " is allowed"
	}
	var names []string
	for _, a := range x.issuer.algorithms {
		names = append(names, a.name)
	}
	return "allowed are " + listed(names, "none")
}

func (x *exam) keyWords() string {
	f, fetched := x.issuer.keys.(*fetchedKeys)
	if !fetched {
		return fmt.Sprintf("%d of the secrets may verify %s; a kid is ignored", len(x.keys), x.alg.name)
	}
	set := f.current.Load()
	if set == nil {
		return ""
	}
	age := fmt.Sprintf("; keys fetched %v ago", time.Since(set.asked).Round(time.Second))
	if len(x.keys) > 0 {
		return keyNames(x.keys) + age
	}
	return "the issuer has, for " + x.alg.name + ": " + keyNames(set.byAlg[x.alg.name]) + age
}

func (x *exam) signatureWords() string {
	if x.key != nil {
		return "made with " + x.key.name
	}
	return "tried " + keyNames(x.keys)
}

func keyNames(keys []key) string {
	names := make([]string, len(keys))
	for i := range keys {
		names[i] = keys[i].name
	}
	return listed(names, "none")
}

func (x *exam) timeWords() string {
	var words []string
	if !x.expires.IsZero() {
		words = append(words, "exp "+when(x.expires, x.now))
	}
	if !x.starts.IsZero() {
		words = append(words, "nbf "+when(x.starts, x.now))
	}
	if len(words) > 0 {
		words = append(words, fmt.Sprintf("leeway %v", x.leeway()))
	}
	return strings.Join(words, ", ")
}

// when says t, and how far that is from now.
func when(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	if d < 0 {
		return fmt.Sprintf("%s, %v ago", t.Format(time.RFC3339), -d)
	}
	return fmt.Sprintf("%s, in %v", t.Format(time.RFC3339), d)
}

func (x *exam) audienceWords() string {
	aud := "no aud"
	if v, ok := x.payload["aud"]; ok {
		aud = "aud " + quoteAny(v)
	}
	if len(x.issuer.audience) == 0 {
		return aud + "; any will do"
	}
	var names []string
	for _, name := range x.issuer.audience {
		names = append(names, quote(name))
	}
	return aud + "; accepted: " + listed(names, "")
}

func (x *exam) subjectWords() string {
	words := []string{"no sub", "no jti"}
	for i, name := range []string{"sub", "jti"} {
		if v, ok := x.payload[name]; ok {
			words[i] = name + " " + quoteAny(v)
		}
	}
	return strings.Join(words, ", ")
}

func (x *exam) grantWords() string {
	if x.grant == nil {
		return ""
	}
	return fmt.Sprintf("the claim %s has %d entries of use, the claim %s %d",
		x.v.roomsClaim, len(x.claimed(x.v.roomsClaim)), x.v.publishClaim, len(x.claimed(x.v.publishClaim)))
}

func (x *exam) revokedWords() string {
	switch {
	case x.v.revoked == nil:
		return "nobody is asked"
	case len(x.ids()) == 0:
		return "the token has neither jti nor sub that could be"
	}
	return "asked for the jti and the sub that there are"
}

// quoteAny quotes what a token may have in the place of a string.
func quoteAny(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case []any:
		words := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return "of another type"
			}
			words[i] = quote(s)
		}
		return "[" + listed(words, "") + "]"
	}
	return "that is not a string"
}
