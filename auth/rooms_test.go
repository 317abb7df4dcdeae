package auth

import (
	"strings"
	"testing"
)

func TestRoomNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "room:42": true, "A-Z_0.9:@=+,~/-": true, "/": true, strings.Repeat("x", 128): true,
		"": false, " ": false, "a b": false, "a*": false, "é": false, "a\x00": false, "a\n": false,
		"a?": false, "a#": false, "a%": false, "a&": false, `a"`: false, `a\`: false, "a{b}": false,
		strings.Repeat("x", 129): false,
	} {
		if got := ValidRoom(name); got != want {
			t.Errorf("ValidRoom(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestRoomAlphabetIsTheProtocols(t *testing.T) {
	const want = "+,-./0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
	var got []byte
	for c := range 256 {
		if name := string([]byte{byte(c)}); ValidRoom(name) {
			got = append(got, name...)
		}
	}
	if string(got) != want {
		t.Errorf("alphabet is %q, want %q", got, want)
	}
}

func TestPatterns(t *testing.T) {
	for _, tc := range []struct{ pattern, matches, doesNot string }{
		{"*", "a abc", "a: :a a:b :"},
		{"**", "a abc a:b :", ""},
		{"team-*", "team-1 team-abc", "team- team team-1:x xteam-1"},
		{"order:*", "order:1", "order: order:1:status order"},
		{"order:**", "order:1 order:1:status order:: order:::", "order: order"},
		{"order:*:status", "order:1:status", "order::status order:1:2:status order:1:statusx order:1:status:"},
		{"order:**:status", "order:1:status order:1:2:status order:::status", "order::status order:status"},
		{"*:*", "a:b", "a b: :b a:b:c"},
		{"*:**", "a:b a:b:c a::", ":b:c a:"},
		{"**:*", "a:b a:b:c ::c", "a:b: :c"},
		{"*a*a*", "xaxax aaaaa", "aaaa xaxa a:axa"},
		{"a*b**c", "axbxc axb:c axb:b:c axbbc", "abxc ax:bxc axbc"},
		{"*x**y*", "axbyc ax:y:yc", "xbyc ax:y: ax:y"},
		{"**x*:y", "axb:y x:xb:y", "ax:y axb:b:y"},
	} {
		if !validPattern(tc.pattern) {
			t.Errorf("%q is not a valid pattern", tc.pattern)
		}
		for _, room := range strings.Fields(tc.matches) {
			if !match(tc.pattern, room) {
				t.Errorf("%q does not match %q", tc.pattern, room)
			}
		}
		for _, room := range append(strings.Fields(tc.doesNot), "") {
			if match(tc.pattern, room) {
				t.Errorf("%q matches %q", tc.pattern, room)
			}
		}
	}
}

func TestPatternsThatAreRefused(t *testing.T) {
	for _, s := range []string{
		"", "a", "***", "a****b", "a b*", "é*", "*\n", "{sub}*",
		strings.Repeat("a*", 9), "*" + strings.Repeat("a", 128),
	} {
		if validPattern(s) {
			t.Errorf("%q is a valid pattern", s)
		}
	}
	for _, s := range []string{strings.Repeat("a*", 8), strings.Repeat("**a", 8), "*" + strings.Repeat("a", 127)} {
		if !validPattern(s) {
			t.Errorf("%q is not a valid pattern", s)
		}
	}
}
