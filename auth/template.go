package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A template is a room name, or pattern, with claims to be filled in.
type template struct {
	raw   string // as it was configured
	parts []part
	valid func(string) bool // true of the results that may be used
}

// part is literal text, and after it the claim at path, unless path is "".
type part struct{ literal, path string }

// parseTemplates reads the templates of the option name. valid says what they may result in.
func parseTemplates(name string, raw []string, valid func(string) bool) ([]template, error) {
	if len(raw) > maxTemplates {
		return nil, fmt.Errorf("option %s has %d entries: use patterns, and at most %d", name, len(raw), maxTemplates)
	}
	var all []template
	var errs []error
	for i, s := range raw {
		t, err := parseTemplate(s, valid)
		if err != nil {
			errs = append(errs, fmt.Errorf("option %s[%d] %q %w", name, i, s, err))
		}
		all = append(all, t)
	}
	return all, errors.Join(errs...)
}

func parseTemplate(s string, valid func(string) bool) (template, error) {
	t := template{raw: s, valid: valid}
	example := "" // the result if each claim is one byte, the least it can be
	for s != "" {
		literal, rest, found := strings.Cut(s, "{")
		example += literal
		if !found {
			t.parts = append(t.parts, part{literal: literal})
			break
		}
		path, rest, closed := strings.Cut(rest, "}")
		if !closed || strings.Contains(path, "{") {
			return t, errors.New("has a { without its }: write a claim like {sub}")
		}
		if !validPath(path) {
			return t, errors.New("has an empty name in {}: write a claim like {sub} or {org.id}")
		}
		t.parts = append(t.parts, part{literal, path})
		example += "x"
		s = rest
	}
	if valid(example) {
		return t, nil
	}
	if validPattern(example) {
		return t, errors.New("is a pattern: give room names here, and the pattern to AllowRooms")
	}
	return t, errors.New("cannot be a room: use up to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / - and {claim}; " +
		"in AllowRooms and PublishRooms also up to eight * or **")
}

// fillAll returns what templates yield with the claims c.
func fillAll(templates []template, c claims) []string {
	var all []string
	for _, t := range templates {
		if room, ok := t.fill(c); ok {
			all = append(all, room)
		}
	}
	return all
}

// fill reports false if a claim is missing or unfit, or the result would be.
func (t template) fill(c claims) (string, bool) {
	if len(t.parts) == 1 && t.parts[0].path == "" {
		return t.parts[0].literal, true // one copy for all grants; it was checked when parsed
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.path == "" {
			continue
		}
		v, _ := c.lookup(p.path)
		value, ok := roomPart(v)
		if !ok {
			return "", false
		}
		b.WriteString(value)
	}
	room := b.String()
	return room, t.valid(room)
}

// roomPart returns a claim as part of a room's name. No colon: with one, a user who can choose
// the claim, such as a name, could reach into rooms that the template does not mean.
func roomPart(v any) (string, bool) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
		if strings.ContainsAny(s, ".eE") {
			return "", false // not written as an integer
		}
	}
	return s, ValidRoom(s) && !strings.Contains(s, ":")
}
