package config

import (
	"slices"
	"strings"
)

// roomBytes are what a room's name is made of, besides letters and digits; see docs/protocol.md.
const roomBytes = "_.:@=+,~/-"

func (l *loader) checkRooms(c *Config) {
	l.checkTemplates("rooms.auto", c.Rooms.Auto)
	l.checkTemplates("rooms.allow", c.Rooms.Allow)
	l.checkTemplates("rooms.publish", c.Rooms.Publish)
	for _, template := range c.Rooms.Auto {
		if strings.Contains(template, "*") {
			l.fail("rooms.auto", "%q is a pattern, and clients join rooms only: rooms.allow takes patterns", template)
		}
	}
}

// maxTemplates is what package auth takes of each list.
const maxTemplates = 1000

func (l *loader) checkTemplates(key string, templates []string) {
	if len(templates) > maxTemplates {
		l.fail(key, "has %d entries, of at most %d: use claims, as in user:{sub}, or patterns, as in org:*", len(templates), maxTemplates)
	}
	for _, template := range templates {
		if problem := templateProblem(template); problem != "" {
			l.fail(key, "%q %s", template, problem)
		}
	}
}

// templateProblem says what is wrong with a template of rooms; empty: nothing.
func templateProblem(template string) string {
	rest := template
	for rest != "" {
		literal, after, claim := strings.Cut(rest, "{")
		if i := strings.IndexFunc(literal, isNoPatternByte); i >= 0 {
			return "has a character that no room has: letters, digits and " + roomBytes + " are allowed, * and ** in patterns"
		}
		if strings.Contains(literal, "***") {
			return "has more than two * in a row"
		}
		if !claim {
			break
		}
		path, tail, closed := strings.Cut(after, "}")
		if !closed || strings.Contains(path, "{") || slices.Contains(strings.Split(path, "."), "") {
			return "has braces that do not hold a claim, as in user:{sub}"
		}
		rest = tail
	}
	return ""
}

func isNoPatternByte(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	digit := '0' <= r && r <= '9'
	return !letter && !digit && r != '*' && !strings.ContainsRune(roomBytes, r)
}
