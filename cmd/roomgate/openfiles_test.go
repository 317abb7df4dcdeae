package main

import (
	"strings"
	"testing"
)

func TestConnectionsAreLimitedByOpenFiles(t *testing.T) {
	const files = 20_000
	most := files - reserve()
	for _, c := range []struct{ wanted, want int }{{0, most}, {1000, 1000}, {most, most}} {
		if got, err := connectionLimit(c.wanted, files); err != nil || got != c.want {
			t.Errorf("limit for limits.connections=%d: got %d, %v, want %d", c.wanted, got, err, c.want)
		}
	}
	for _, c := range []struct{ wanted, files int }{{most + 1, files}, {1_000_000, files}, {0, reserve()}, {10, 64}} {
		_, err := connectionLimit(c.wanted, c.files)
		if err == nil || !strings.Contains(err.Error(), "ulimit -n, LimitNOFILE=") {
			t.Errorf("limits.connections=%d with %d files: got error %v, want one that says what to do", c.wanted, c.files, err)
		}
	}
}
