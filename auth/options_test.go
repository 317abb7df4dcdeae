package auth

import (
	"strings"
	"testing"
)

func TestTemplates(t *testing.T) {
	for name, tc := range map[string]struct {
		template, claims string
		want             []string
	}{
		"subject":           {"user:{sub}", `"sub":"u42"`, []string{"user:u42"}},
		"no claim in it":    {"lobby", `"sub":"u42"`, []string{"lobby"}},
		"only a claim":      {"{sub}", `"sub":"u42"`, []string{"u42"}},
		"several claims":    {"{org.id}:{sub}:x", `"sub":"u42","org":{"id":7}`, []string{"7:u42:x"}},
		"dots in the name":  {"u:{https://x.example/id}", `"https://x.example/id":"7"`, []string{"u:7"}},
		"a large integer":   {"n:{n}", `"n":123456789012345678901234567890`, []string{"n:123456789012345678901234567890"}},
		"a negative one":    {"n:{n}", `"n":-5`, []string{"n:-5"}},
		"a fraction":        {"n:{n}", `"n":1.5`, nil},
		"1.0":               {"n:{n}", `"n":1.0`, nil},
		"an exponent":       {"n:{n}", `"n":1e3`, nil},
		"missing":           {"user:{sub}", `"x":1`, nil},
		"missing, nested":   {"org:{org.id}", `"org":"7"`, nil},
		"one of two":        {"{a}:{b}", `"a":"1"`, nil},
		"empty":             {"user:{sub}", `"sub":""`, nil},
		"a colon":           {"user:{sub}", `"sub":"u42:admin"`, nil},
		"a star":            {"user:{sub}", `"sub":"*"`, nil},
		"a space":           {"user:{sub}", `"sub":"a b"`, nil},
		"not ASCII":         {"user:{sub}", `"sub":"é"`, nil},
		"a brace":           {"user:{sub}", `"sub":"{jti}","jti":"x"`, nil},
		"true":              {"x:{x}", `"x":true`, nil},
		"null":              {"x:{x}", `"x":null`, nil},
		"an array":          {"x:{x}", `"x":["a"]`, nil},
		"an object":         {"x:{x}", `"x":{"a":"b"}`, nil},
		"128 bytes in all":  {"x:{x}", `"x":"` + strings.Repeat("a", 126) + `"`, []string{"x:" + strings.Repeat("a", 126)}},
		"129 bytes in all":  {"x:{x}", `"x":"` + strings.Repeat("a", 127) + `"`, nil},
		"a value 9 KB long": {"x:{x}{x}", `"x":"` + strings.Repeat("a", 5000) + `"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, func(o *Options) { o.AutoRooms = []string{tc.template} })
			g := grantOf(t, v, with(tc.claims))
			equal(t, "Auto", g.Auto(), tc.want)
			equal(t, "Named", g.Named(), nil)
			for _, room := range tc.want {
				if !g.MayJoin(room) || g.MayPublish(room) {
					t.Errorf("MayJoin(%q) = %v, MayPublish = %v, want only to join", room, g.MayJoin(room), g.MayPublish(room))
				}
			}
		})
	}
}

// The guide's case: a backend puts a phone number's id into the token, and the connection is
// to hear of that number's messages and of no other's.
func TestPhoneNumberIDJoinsItsRoom(t *testing.T) {
	v := newVerifier(t, func(o *Options) { o.AutoRooms = []string{"phone:{phoneNumberId}"} })
	for _, id := range []string{`"106540352242922"`, `106540352242922`} {
		g := grantOf(t, v, with(`"phoneNumberId":`+id))
		equal(t, "Auto", g.Auto(), []string{"phone:106540352242922"})
		if !g.MayJoin("phone:106540352242922") || g.MayJoin("phone:106540352242923") {
			t.Errorf("phoneNumberId %s: may join another room than its own", id)
		}
	}
	equal(t, "Auto", grantOf(t, v, minimal).Auto(), nil)
}

func TestAllowedRoomsMayBeJoinedButAreNot(t *testing.T) {
	v := newVerifier(t, func(o *Options) {
		o.AllowRooms = []string{"org:{org.id}:*", "public:**", "lobby"}
	})
	g := grantOf(t, v, with(`"org":{"id":"acme"}`))
	equal(t, "Auto", g.Auto(), nil)
	equal(t, "Named", g.Named(), nil)
	for room, want := range map[string]bool{
		"org:acme:1": true, "public:a:b": true, "lobby": true,
		"org:acme:": false, "org:acme:1:2": false, "org:evil:1": false, "org:*:1": false, "lobby2": false,
	} {
		if got := g.MayJoin(room); got != want {
			t.Errorf("MayJoin(%q) = %v, want %v", room, got, want)
		}
	}
	if g := grantOf(t, v, with(`"org":{"id":"*"}`)); g.MayJoin("org:acme:1") {
		t.Error("a star in a claim became a wildcard")
	}
}

func TestSignedTokenVerifies(t *testing.T) {
	token, err := Sign(secret32, map[string]any{"exp": 4102444800, "sub": "u42", "rooms": []string{"a", "b:*"}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newVerifier(t).Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if g.Subject != "u42" || !g.MayJoin("b:1") {
		t.Errorf("got %+v", g)
	}
	equal(t, "Named", g.Named(), []string{"a"})
}

func TestSignRefusesWhatVerifyWould(t *testing.T) {
	for name, tc := range map[string]struct {
		secret []byte
		claims map[string]any
	}{
		"short secret": {secret32[:31], nil},
		"too long":     {secret32, map[string]any{"x": strings.Repeat("x", 8192)}},
		"not JSON":     {secret32, map[string]any{"x": make(chan int)}},
	} {
		if _, err := Sign(tc.secret, tc.claims); err == nil {
			t.Errorf("Sign accepted: %s", name)
		}
	}
}
