package auth

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxText = 256          // bytes of sub, iss and jti
	maxDate = 253402300799 // seconds since 1970: the end of the year 9999. Milliseconds lie beyond it
)

// claims is a JSON object whose numbers are kept as they are written (json.Number).
type claims map[string]any

// decodeObject reads one JSON object, in which no object has the same name twice.
func decodeObject(data []byte) (claims, error) {
	// Valid also bounds the depth, and makes sure that nothing comes after the object.
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errJSON
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any // into a map of ours the decoder would go by reflection
	if err := d.Decode(&v); err != nil {
		return nil, errJSON
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errJSON
	}
	// For a name that comes twice JSON has no rule (RFC 8259, 4), and the decoder takes the
	// last: whoever made the token may have meant the other. It shows as a member lost.
	if written(data) != kept(object) {
		return nil, errDuplicate
	}
	return object, nil
}

// written is how many members the objects of data have, which is valid JSON: each has one colon
// outside of strings.
func written(data []byte) (members int) {
	inside := false // a string
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			inside = !inside
		case inside && c == '\\':
			i++
		case !inside && c == ':':
			members++
		}
	}
	return members
}

// kept is how many members the objects in v have.
func kept(v any) (members int) {
	switch v := v.(type) {
	case map[string]any:
		members = len(v)
		for _, value := range v {
			members += kept(value)
		}
	case []any:
		for _, value := range v {
			members += kept(value)
		}
	}
	return members
}

func (c claims) has(name string) bool {
	_, ok := c[name]
	return ok
}

// lookup finds the claim at path: the whole path as one name, or else names of nested objects.
func (c claims) lookup(path string) (any, bool) {
	if v, ok := c[path]; ok {
		return v, true
	}
	object := map[string]any(c)
	for {
		name, rest, more := strings.Cut(path, ".")
		v, ok := object[name]
		if !ok || !more {
			return v, ok
		}
		if object, ok = v.(map[string]any); !ok {
			return nil, false
		}
		path = rest
	}
}

// validPath reports whether path is names with single dots between.
func validPath(path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			return false
		}
	}
	return true
}

// text returns the claim name, or "" if there is none. If it is not fit for logs and lists of
// users, the error is bad.
func (c claims) text(name string, bad *Error) (string, error) {
	v, ok := c[name]
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || !validText(s) {
		return "", bad
	}
	return strings.Clone(s), nil
}

func validText(s string) bool { return len(s) <= maxText && !strings.ContainsFunc(s, unfit) }

// unfit is true of control characters, and of what the decoder puts in the place of half a
// surrogate pair, which would make two subjects look the same.
func unfit(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError
}

// date returns the claim name, a NumericDate (RFC 7519, 2), and whether there is one. If it is
// not a number between 1970 and 9999, the error is bad.
func (c claims) date(name string, bad *Error) (t time.Time, ok bool, err error) {
	v, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false, bad
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > maxDate {
		return time.Time{}, false, bad
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)).UTC(), true, nil
}

// audience returns aud, which may be one string or an array (RFC 7519, 4.1.3).
func (c claims) audience() ([]string, error) {
	aud, ok := c["aud"]
	if !ok {
		return nil, nil
	}
	all, ok := list(aud, func(s string) []string { return []string{s} })
	if !ok {
		return nil, errAud
	}
	return all, nil
}

// list returns v as strings: those of an array, or, if v is one string, what split makes of it.
func list(v any, split func(string) []string) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return split(v), true
	case []any:
		all := make([]string, len(v))
		for i := range v {
			s, ok := v[i].(string)
			if !ok {
				return nil, false
			}
			all[i] = s
		}
		return all, true
	}
	return nil, false
}
