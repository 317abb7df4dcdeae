package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is a value that no print, log or JSON shows; string(s) is the way to it.
// An empty Secret prints as empty, so that one sees that it is not set.
type Secret string

// String returns what may be shown of s.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format writes s.String(), whatever the verb: a Stringer alone would let %x and %d through.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is s.String(), for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is s.String(), for encoding/json, which slog uses for a struct that holds secrets.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is an address that may hold a user name and a password. Printed in any way, it keeps scheme, host and path;
// string(u) is the whole.
type URL string

// String returns what may be shown of u.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parsed, ok := u.parse()
	if !ok {
		return redacted
	}
	return (&url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}).String()
}

// Format writes u.String(), whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue is u.String(), for slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is u.String(), for encoding/json.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// parse reports false if u has no host, or if a password that was not percent-encoded may have spilled out of its place:
// the host of redis://user:12#34@host is "user:12". net/url's error is dropped, since it quotes the URL.
func (u URL) parse() (*url.URL, bool) {
	parsed, err := url.Parse(string(u))
	if err != nil || parsed.Hostname() == "" || strings.Contains(parsed.Path+parsed.RawQuery+parsed.Fragment, "@") {
		return nil, false
	}
	return parsed, true
}
