package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// told is an Explanation as lines.
func told(e Explanation) string {
	var b strings.Builder
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "%s %s: %s\n", s.Name, s.Outcome, s.Words)
	}
	return b.String()
}

func TestExplanations(t *testing.T) {
	o := newIDP(t, jwkOf(p256(), `"kid":"k"`), jwkOf(p384(), `"kid":"l"`)).options()
	o.Issuers[0].Leeway = 30 * time.Second
	o.Issuers = append(o.Issuers, Issuer{Issuer: "us", Secrets: [][]byte{secret32, secret64}})
	o.AutoRooms = []string{"user:{sub}"}
	o.AllowRooms = []string{"org:{org.id}:*", "lobby"}
	o.PublishRooms = []string{"user:{sub}"}
	o.Revoked = func(_ context.Context, ids ...string) (bool, error) {
		switch ids[0] {
		case "gone":
			return true, nil
		case "who":
			return false, errors.New("redis is away")
		}
		return false, nil
	}
	v := running(t, o)

	const kid = `{"alg":"ES256","typ":"JWT","kid":"k"}`
	by := func(header, members string) string {
		return signKey("ES256", p256(), header, with(`"iss":"https://idp.example","aud":"chat",`+members))
	}
	ago := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(-d).Unix()) }
	good := by(kid, `"sub":"u42","jti":"j1","rooms":["a","team-*"],"publish":["team-1"],"org":{"id":7}`)
	forged := signKey("ES256", p256Two(), kid, claimsOf("u42"))

	for name, tc := range map[string]struct {
		token, room string
		granted     bool
		want        []string // lines that there are, from their beginnings
	}{
		"good": {good, "", true, []string{
			"size ok: ", "form ok: ", `header ok: alg "ES256", typ "JWT", kid "k"`,
			`issuer ok: iss "https://idp.example": issuer 1 of 2, which has published keys`,
			"algorithm ok: ES256 is allowed", `key ok: kid "k", thumbprint `, `signature ok: made with kid "k", thumbprint `,
			"time ok: exp 2100-01-01T00:00:00Z, in ", `audience ok: aud "chat"; accepted: "chat"`, `subject ok: sub "u42", jti "j1"`,
			"grant ok: the claim rooms has 2 entries of use, the claim publish 1", "revoked ok: ",
			`joins note: at connect: "user:u42" by rooms.auto "user:{sub}", "a" by the claim rooms`,
			`publishes note: may: "team-1" by the claim publish, "user:u42" by rooms.publish "user:{sub}"`,
		}},
		"a room by a claim": {good, "team-1", true, []string{
			`room ok: "team-1" may be joined, "team-*" by the claim rooms; it may be published to, "team-1" by the claim publish`}},
		"a room by a template": {good, "org:7:x", true, []string{
			`room ok: "org:7:x" may be joined, "org:7:*" by rooms.allow "org:{org.id}:*"; it may not be published to`}},
		"a room that is refused": {by(kid, `"sub":"u42"`), "org:7:x", false, []string{
			`room refused: "org:7:x" may not be joined: put it, or a pattern that fits it, into the token's claim rooms, or into rooms.allow; ` +
				`it may not be published to; a claim is missing, or unfit for a room's name, for rooms.allow "org:{org.id}:*"`}},
		"no room": {good, "a b", false, []string{`room refused: "a b" cannot be a room`}},
		"forged": {forged, "user:u42", false, []string{
			`signature refused: token signature does not match: signed with another key, or changed afterwards: tried kid "k", thumbprint`,
			"time ok: exp 2100-01-01T00:00:00Z, in ", `subject ok: sub "u42", no jti (not believed: the signature is not verified)`,
			"revoked skipped: ", `room ok: "user:u42" may be joined`}},
		"expired": {signKey("ES256", p256(), kid, `{"exp":`+ago(90*time.Second)+`,"iss":"https://idp.example","aud":"chat"}`), "", false, []string{
			"signature ok: ", "time refused: token has expired (exp): exp 20", "audience ok: "}},
		"no exp": {signKey("ES256", p256(), kid, `{"iss":"https://idp.example","aud":"chat"}`), "", false, []string{
			"time refused: token has no exp claim: every token needs one\n"}},
		"another kid": {by(`{"alg":"ES256","kid":"x","jku":"https://evil.example","jwk":{}}`, `"sub":"u"`), "", false, []string{
			`header ok: alg "ES256", no typ, kid "x", jwk is ignored, jku is ignored`,
			`key refused: token kid and alg fit no key of its issuer: the issuer has, for ES256: kid "k", thumbprint`, "signature skipped: ", "time ok: "}},
		"alg none": {encode(`{"alg":"none"}`) + "." + encode(claimsOf("u")) + ".", "", false, []string{
			"algorithm refused: token alg is not one of the algorithms allowed for its issuer: allowed are RS256, ", "key skipped: ", "time ok: "}},
		"another issuer": {sign(secret32, hs256, with(`"iss":"evil"`)), "", false, []string{
			`issuer refused: token iss is none of the configured issuers: iss "evil"; configured: "https://idp.example", "us"`, "audience skipped: ", "time ok: "}},
		"a secret": {sign(secret64, `{"alg":"HS256","kid":"k"}`, with(`"iss":"us"`)), "lobby", true, []string{
			`issuer ok: iss "us": issuer 2 of 2, which has shared secrets`, "key ok: 2 of the secrets may verify HS256; a kid is ignored",
			"signature ok: made with secret 2 of 2", "audience ok: no aud; any will do", `room ok: "lobby" may be joined, "lobby" by rooms.allow "lobby"`}},
		"wrong aud": {signKey("ES256", p256(), kid, with(`"iss":"https://idp.example","aud":["billing","x"]`)), "", false, []string{
			`audience refused: token aud names none of the configured audiences: aud ["billing", "x"]; accepted: "chat"`}},
		"revoked":     {by(kid, `"jti":"gone"`), "", false, []string{"revoked refused: token is revoked, or its user is"}},
		"unavailable": {by(kid, `"jti":"who"`), "", false, []string{"revoked unavailable: "}},
		"9 KB":        {strings.Repeat("x", 9000), "a", false, []string{"size refused: token is longer than 8192 bytes: put fewer claims or rooms in it: 9000 bytes"}},
		"rubbish":     {"rubbish", "a", false, []string{"size ok: ", "form refused: "}},
		"a terminal":  {by(`{"alg":"ES256","typ":"JWT","kid":"\u001b[2J"}`, `"sub":"\u001b[2J"`), "", false, []string{`header ok: alg "ES256", typ "JWT", kid "\x1b[2J"`}},
	} {
		t.Run(name, func(t *testing.T) {
			e := v.Explain(t.Context(), tc.token, tc.room)
			text := told(e)
			for _, line := range tc.want {
				if !strings.Contains("\n"+text, "\n"+line) {
					t.Errorf("no line begins with %q in:\n%s", line, text)
				}
			}
			if e.Granted != tc.granted {
				t.Errorf("Granted = %v, want %v:\n%s", e.Granted, tc.granted, text)
			}
			if strings.ContainsRune(text, '\x1b') {
				t.Errorf("a control character of the token came through: %q", text)
			}
			agree(t, v, tc.token, tc.room, e)
		})
	}
}

// agree checks that Explain comes to what Verify does, and tells nothing that is secret.
func agree(t *testing.T, v *Verifier, token, room string, e Explanation) {
	t.Helper()
	g, err := v.Verify(t.Context(), token)
	if want := err == nil && (room == "" || g.MayJoin(room)); e.Granted != want {
		t.Errorf("Explain: %v; Verify: %v", e.Granted, want)
	}
	text := told(e)
	parts := strings.Split(token, ".")
	for _, secret := range append(parts, string(secret32), encode(string(secret32))) {
		if len(secret) >= 16 && strings.Contains(text, secret) {
			t.Errorf("the explanation holds a part of the token or a secret:\n%s", text)
		}
	}
	if first := firstRefusal(e); err != nil && !strings.HasPrefix(first, err.Error()) {
		t.Errorf("Explain first refuses with %q, Verify with %q", first, err)
	}
}

func firstRefusal(e Explanation) string {
	for _, s := range e.Steps {
		if s.Outcome == outcomeRefused || s.Outcome == outcomeUnavailable {
			return s.Words
		}
	}
	return ""
}
