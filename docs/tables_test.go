package docs

import (
	"regexp"
	"strings"
	"testing"
)

var (
	escaped   = regexp.MustCompile(`\\.`) // such as the bar that ends no cell
	separator = regexp.MustCompile(`^\|(\s*:?-+:?\s*\|)+$`)
)

// A blank line within a table, or a bar in a cell, costs readers the rest of it: GitHub says nothing of that.
func TestTablesOfAllPagesAreWhole(t *testing.T) {
	count := 0
	for path, content := range contents(t) {
		for _, rows := range tables(content) {
			count++
			if len(rows) < 2 || !separator.MatchString(rows[1]) {
				t.Errorf("%s: a table has no head: %.80s", path, rows[0])
			}
			for _, row := range rows {
				if got, want := cells(row), cells(rows[0]); got != want {
					t.Errorf("%s: a row of %d cells, want %d as in the head: %.80s", path, got, want, row)
				}
			}
		}
	}
	if count < 50 {
		t.Errorf("%d tables were found, want 50 at least", count)
	}
}

// tables are the runs of lines that begin with a bar, but for what is code.
func tables(content string) (all [][]string) {
	inCode, inTable := false, false
	for line := range strings.Lines(content) {
		line = strings.TrimSpace(line)
		if fence.MatchString(line) {
			inCode = !inCode
		}
		isRow := !inCode && strings.HasPrefix(line, "|")
		switch {
		case isRow && inTable:
			all[len(all)-1] = append(all[len(all)-1], line)
		case isRow:
			all = append(all, []string{line})
		}
		inTable = isRow
	}
	return all
}

func cells(row string) int {
	return strings.Count(escaped.ReplaceAllString(row, ""), "|") - 1
}
