package config

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/roomgate/roomgate/internal/redisurl"
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

// URL is the address of a Redis, which may hold a user name and a password. Printed in any way, it shows the rest;
// string(u) is the whole.
type URL string

// String returns what may be shown of u.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	parsed, err := redisurl.Parse(string(u))
	if err != nil {
		return redacted
	}
	return parsed.String()
}

// Format writes u.String(), whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue is u.String(), for slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is u.String(), for encoding/json.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
