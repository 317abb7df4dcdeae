//go:build linux

package main

import (
	"fmt"
	"strings"
)

// markdown is a table.
type markdown struct {
	b    strings.Builder
	rows int
}

func (t *markdown) row(cells ...string) {
	t.b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	if t.rows++; t.rows == 1 {
		t.b.WriteString("|" + strings.Repeat("---|", len(cells)) + "\n")
	}
}

func (t *markdown) String() string { return t.b.String() }

// count is a whole number with commas between the thousands.
func count(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
