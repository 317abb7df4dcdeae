package auth

import "strings"

const (
	maxRoom    = 128  // bytes of a room's name, and of a pattern
	maxStars   = 8    // wildcards in a pattern
	maxEntries = 1000 // entries in a rooms or publish claim
)

// alphabet holds the bytes that need no escaping in JSON, URLs or Redis.
var alphabet = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@=+,~/-") {
		set[c] = true
	}
	return set
}()

// ValidRoom reports whether name can be a room: 1 to 128 bytes of A-Z a-z 0-9 _ . : @ = + , ~ / -
func ValidRoom(name string) bool {
	if name == "" || len(name) > maxRoom {
		return false
	}
	for i := range len(name) {
		if !alphabet[name[i]] {
			return false
		}
	}
	return true
}

// validPattern reports whether s has at least one wildcard, at most maxStars of them, and else
// only bytes of room names. Three stars in a row are refused: they have no one meaning.
func validPattern(s string) bool {
	if len(s) > maxRoom {
		return false
	}
	stars := 0
	for i := 0; i < len(s); {
		width := starWidth(s[i:])
		switch {
		case width > 2, width == 0 && !alphabet[s[i]]:
			return false
		case width > 0:
			stars++
			i += width
		default:
			i++
		}
	}
	return stars > 0 && stars <= maxStars
}

func validEntry(s string) bool { return ValidRoom(s) || validPattern(s) }

// starWidth is how many stars s begins with.
func starWidth(s string) int { return len(s) - len(strings.TrimLeft(s, "*")) }

func matchAny(entries []string, room string) bool {
	for _, entry := range entries {
		if match(entry, room) {
			return true
		}
	}
	return false
}

// match reports whether room, a valid name, is entry, a valid name or pattern, or fits it.
// It takes at most len(entry) × len(room) steps: it reads room once and keeps, instead of
// going back, the set of all places in entry that may come next.
func match(entry, room string) bool {
	prefix := strings.IndexByte(entry, '*')
	if prefix < 0 {
		return entry == room
	}
	if !strings.HasPrefix(room, entry[:prefix]) {
		return false
	}
	entry, room = entry[prefix:], room[prefix:]

	var here [maxRoom + 1]bool // here[i]: what was read so far fits entry[:i]
	here[0] = true
	for _, c := range []byte(room) {
		var next [maxRoom + 1]bool
		for i := range len(entry) {
			if !here[i] {
				continue
			}
			width := min(starWidth(entry[i:]), 2)
			switch {
			case width == 0:
				next[i+1] = next[i+1] || entry[i] == c
			case width == 2 || c != ':':
				next[i] = true // the wildcard takes more
				next[i+width] = true
			}
		}
		here = next
	}
	return here[len(entry)]
}
