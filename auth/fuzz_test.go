package auth

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// oracleRoom and oracleEntry say again, by regexp, what names and patterns are.
var (
	oracleRoom    = regexp.MustCompile(`\A[A-Za-z0-9_.:@=+,~/-]{1,128}\z`)
	oracleEntry   = regexp.MustCompile(`\A[A-Za-z0-9_.:@=+,~/*-]{1,128}\z`)
	oracleStars   = regexp.MustCompile(`\*+`)
	oraclePhoneID = regexp.MustCompile(`\A(-?[0-9]+|[A-Za-z0-9_.@=+,~/-]+)\z`)
)

func oracleMatch(entry, room string) bool {
	if !oracleRoom.MatchString(room) || !oracleEntry.MatchString(entry) || strings.Contains(entry, "***") {
		return false
	}
	if len(oracleStars.FindAllString(entry, -1)) > 8 {
		return false
	}
	expr := regexp.QuoteMeta(entry)
	expr = strings.ReplaceAll(expr, `\*\*`, `.+`)
	expr = strings.ReplaceAll(expr, `\*`, `[^:]+`)
	return regexp.MustCompile(`\A` + expr + `\z`).MatchString(room)
}

// oracleEntries reads a list as encoding/json does.
func oracleEntries(v any) (entries []string) {
	switch v := v.(type) {
	case string:
		return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' })
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil
			}
			entries = append(entries, s)
		}
	}
	return entries
}

func oracleAny(entries []string, room string) bool {
	return slices.ContainsFunc(entries, func(e string) bool { return oracleMatch(e, room) })
}

// FuzzVerify signs any claims, as they should be. Whatever is granted must be in them; and no
// token may be accepted once any of its bytes is changed.
func FuzzVerify(f *testing.F) {
	for _, claims := range []string{
		minimal, `{}`, `[]`, `{"exp":1e999}`, `{"exp":"1"}`,
		with(`"rooms":["a","b:*","c:**:d"],"publish":"a b:*","sub":"u42"`),
		with(`"phoneNumberId":12345,"rooms":"*"`), with(`"phoneNumberId":"1:2","sub":"\ud83d"`),
		with(`"rooms":["a"],"rooms":["b"]`), with(`"rooms":null`), with(`"a":{"b":[[{}]]},"nbf":1.5`),
	} {
		f.Add([]byte(claims), "b:1", uint16(0), byte(0))
		f.Add([]byte(claims), "phone:12345", uint16(50), byte('A'))
	}
	v := newVerifier(f, func(o *Options) { o.AutoRooms = []string{"phone:{phoneNumberId}"} })

	f.Fuzz(func(t *testing.T, payload []byte, room string, at uint16, c byte) {
		token := sign(secret32, hs256, string(payload))
		g, err := v.Verify(t.Context(), token)
		var refusal *Error
		if err != nil && (!errors.As(err, &refusal) || refusal.Reason == reasonSignature || refusal.Reason == reasonAlgorithm) {
			t.Fatalf("a well-signed token: %v", err)
		}

		i := int(at) % len(token)
		if changed := token[:i] + string([]byte{c}) + token[i+1:]; changed != token {
			if _, err := v.Verify(t.Context(), changed); err == nil {
				t.Fatalf("accepted with byte %d changed to %q", i, c)
			}
		}
		agree(t, v, token, room, v.Explain(t.Context(), token, room))
		if g != nil {
			checkGrant(t, g, payload, room)
		}
	})
}

func checkGrant(t *testing.T, g *Grant, payload []byte, room string) {
	t.Helper()
	var claims map[string]any
	d := json.NewDecoder(strings.NewReader(string(payload)))
	d.UseNumber()
	if err := d.Decode(&claims); err != nil {
		t.Fatalf("granted, but the claims are no JSON: %v", err)
	}
	rooms, publish := oracleEntries(claims["rooms"]), oracleEntries(claims["publish"])

	phone := ""
	switch id := claims["phoneNumberId"].(type) {
	case string:
		phone = "phone:" + id
	case json.Number:
		phone = "phone:" + id.String()
	}
	for _, auto := range g.Auto() {
		id := strings.TrimPrefix(auto, "phone:")
		if auto != phone || !oraclePhoneID.MatchString(id) || !oracleRoom.MatchString(auto) {
			t.Errorf("joins %q, which the claims do not name", auto)
		}
	}
	for _, name := range g.Named() {
		if !slices.Contains(rooms, name) || !oracleRoom.MatchString(name) {
			t.Errorf("Named has %q, which the rooms claim has not", name)
		}
	}
	for _, room := range append(rooms, room, strings.ReplaceAll(room, ":", "")) {
		if got, want := g.MayJoin(room), oracleAny(rooms, room) || slices.Contains(g.Auto(), room); got != want {
			t.Errorf("MayJoin(%q) = %v, want %v", room, got, want)
		}
		if got, want := g.MayPublish(room), oracleAny(publish, room); got != want {
			t.Errorf("MayPublish(%q) = %v, want %v", room, got, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"*", "a"}, {"**", "a:b"}, {"order:*:status", "order:1:status"}, {"*a*a*a*b", "aaaaaaaaaaaaaaaa"},
		{"*x**y*", "axb:yc"}, {"***", "a"}, {"a", "a"}, {"**a**b**c**d", "xaxb:cxcxdd"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, entry, room string) {
		got := validEntry(entry) && ValidRoom(room) && match(entry, room)
		if want := oracleMatch(entry, room); got != want {
			t.Errorf("%q matches %q: got %v, want %v", entry, room, got, want)
		}
	})
}

func FuzzRoomsClaim(f *testing.F) {
	for _, seed := range []string{`["a","b:*"]`, `"a b"`, `null`, `[["a"]]`, `{"a":"b"}`, `"a\u0020b"`, `["a b"]`, `[1]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, claim []byte) {
		c, err := decodeObject([]byte(`{"rooms":` + string(claim) + `}`))
		if err != nil {
			return
		}
		names, patterns, err := c.entries("rooms", errRooms)
		entries := oracleEntries(c["rooms"])
		for _, entry := range entries {
			isName := oracleRoom.MatchString(entry)
			if got := slices.Contains(names, entry); err == nil && got != isName {
				t.Errorf("%q is among the names: %v, want %v", entry, got, isName)
			}
		}
		for _, entry := range slices.Concat(names, patterns) {
			if !slices.Contains(entries, entry) {
				t.Errorf("%q is not in the claim", entry)
			}
		}
		if n := len(names) + len(patterns); n > maxEntries || err != nil && n > 0 {
			t.Errorf("%d entries, error %v", n, err)
		}
	})
}
