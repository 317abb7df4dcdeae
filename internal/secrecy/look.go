package secrecy

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// A shape is what a secret looks like that nobody has told us.
type shape struct {
	name string
	hint string // which each has, in lower case: most lines have none, and are not searched further
	re   *regexp.Regexp
	not  string // a match that is none: an example in the text of an error
}

// A token is at least a header, which begins with {" in base64, and a payload. Where a value
// follows, it is one that could be a token: help and documentation say $TOKEN, <jwt> and ….
var shapes = []shape{
	{"a JWT", "eyj", regexp.MustCompile(`eyJ[\w-]{8,}\.[\w-]{8,}(\.[\w-]*)?`), ""},
	{"a bearer token", "bearer", regexp.MustCompile(`\b([Bb]earer\.|Bearer )[\w~+/=-][\w.~+/=-]{7,}`), ""},
	{"a token in a query", "token=", regexp.MustCompile(`\btoken=[\w.~+/=-]+`), ""},
	{"a token in a frame", `token\":`, regexp.MustCompile(`\\"token\\": ?\\"[^"\\]+`), ""}, // quoted in JSON
	{"a token in a frame", `token":`, regexp.MustCompile(`"token": ?"[^"]+`), ""},
	{"a password in a URL", "redis", regexp.MustCompile(`rediss?://[^\s/@:]*:[^\s/@]+@`), "redis://user:password@"},
	{"a private key", "private key-----", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`), ""},
}

// nothing is an attribute that slog cannot write in JSON: a struct whose fields are its own, or what has no JSON. In what else is
// JSON, such as a report or the log of another program, an empty object may be meant.
var nothing = regexp.MustCompile(`(?m)^\{"time":"[^\n]*[^\\]":(\{\}|"!ERROR:)`)

// masking stands where a secret was.
const masking = "[masked]"

// A needle is one spelling of a secret.
type needle struct {
	name string
	text []byte
}

// Shortest is how long a secret must be, in bytes: a shorter one is part of other words.
const Shortest = 8

// spellings are the ways to write a secret, each once.
func spellings(secret string) []needle {
	if len(secret) < Shortest {
		panic("secrecy: a secret of a test needs 8 bytes, or it will be found in other words")
	}
	b := []byte(secret)
	all := []needle{
		{"a secret", b},
		{"a secret in JSON", escaped(secret, false)},
		{"a secret in JSON", escaped(secret, true)},
		{"a secret in hex", []byte(hex.EncodeToString(b))},
		{"a secret in hex", []byte(strings.ToUpper(hex.EncodeToString(b)))},
	}
	for before := range 3 {
		all = append(all, needle{"a secret in base64", inBase64(base64.RawStdEncoding, b, before)},
			needle{"a secret in base64url", inBase64(base64.RawURLEncoding, b, before)})
	}
	var once []needle
	for _, n := range all {
		if !slices.ContainsFunc(once, func(o needle) bool { return bytes.Equal(o.text, n.text) }) {
			once = append(once, n)
		}
	}
	return once
}

// inBase64 is what stands in base64 of b, and of nothing else, whatever follows it, if before (modulo 3) bytes stand before it.
func inBase64(encoding *base64.Encoding, b []byte, before int) []byte {
	text := encoding.EncodeToString(append(make([]byte, before), b...))
	first := (8*before + 5) / 6          // characters that have bits of what stands before
	whole := (8 * (before + len(b))) / 6 // and none of what follows
	return []byte(text[first:whole])
}

// escaped is a secret within a string of JSON, as encoders write it for HTML or not.
func escaped(secret string, html bool) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(html)
	_ = encoder.Encode(secret) // a string: cannot fail
	return bytes.Trim(bytes.TrimSuffix(b.Bytes(), []byte("\n")), `"`)
}

// find returns what is secret in text, as it is or percent-encoded, and text with all that is
// secret masked. The name is empty if nothing is.
func find(text []byte, needles []needle) (name string, masked []byte) {
	if name, masked = findPlain(text, needles); name != "" || bytes.IndexByte(text, '%') < 0 {
		return name, masked
	}
	return findPlain(unescape(text), needles)
}

func findPlain(text []byte, needles []needle) (name string, masked []byte) {
	mask := func(found string) []byte {
		name = cmp.Or(name, found)
		return []byte(masking)
	}
	masked = text
	for _, n := range needles {
		if bytes.Contains(masked, n.text) {
			masked = bytes.ReplaceAll(masked, n.text, mask(n.name))
		}
	}
	lower := bytes.ToLower(text)
	for _, s := range shapes {
		if bytes.Contains(lower, []byte(s.hint)) {
			masked = s.re.ReplaceAllFunc(masked, func(match []byte) []byte {
				if string(match) == s.not {
					return match
				}
				return mask(s.name)
			})
		}
	}
	return name, masked
}

// unescape undoes percent-encoding where there is some, twice at most: a proxy may encode what a
// client has encoded.
func unescape(text []byte) []byte {
	for range 2 {
		out := make([]byte, 0, len(text))
		for i := 0; i < len(text); i++ {
			var b [1]byte
			if text[i] == '%' && i+2 < len(text) {
				if _, err := hex.Decode(b[:], text[i+1:i+3]); err == nil {
					out = append(out, b[0])
					i += 2
					continue
				}
			}
			out = append(out, text[i])
		}
		text = out
	}
	return text
}
