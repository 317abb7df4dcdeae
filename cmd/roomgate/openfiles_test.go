package main

import (
	"strings"
	"testing"

	"github.com/roomgate/roomgate/config"
)

// limited are settings with these limits.
func limited(connections, handshakes, upstreamRequests int, dryRun ...string) *config.Config {
	c := new(config.Config)
	c.Limits.Connections, c.Limits.Handshakes, c.Limits.UpstreamRequests, c.Limits.DryRun = connections, handshakes, upstreamRequests, dryRun
	return c
}

func TestConnectionsAreLimitedByOpenFiles(t *testing.T) {
	const files, handshakes = 20_000, 1024
	most := files - reserve() - handshakes
	for _, c := range []struct{ wanted, want int }{{0, most}, {1000, 1000}, {most, most}} {
		if got, err := newBudget(limited(c.wanted, handshakes, 0), files); err != nil || got.connections != c.want {
			t.Errorf("limit for limits.connections=%d: got %v, %v, want %d", c.wanted, got, err, c.want)
		}
	}
	for _, c := range []struct{ wanted, files int }{{most + 1, files}, {1_000_000, files}, {0, reserve()}, {0, reserve() + 1}, {10, 64}} {
		_, err := newBudget(limited(c.wanted, handshakes, 0), c.files)
		if err == nil || !strings.Contains(err.Error(), "ulimit -n, LimitNOFILE=") {
			t.Errorf("limits.connections=%d with %d files: got error %v, want one that says what to do", c.wanted, c.files, err)
		}
	}
}

func TestDescriptorsOfEverythingTogetherAreNoMoreThanThereAre(t *testing.T) {
	for _, files := range []int{reserve() + 2, 400, 1024, 4096, 65536, 1 << 20} {
		for _, wanted := range []int{0, 1, 1024, 1 << 20} {
			for _, dry := range [][]string{nil, {limitHandshakes}} {
				c := limited(0, wanted, wanted, dry...)
				c.HTTP.Upstream = "http://127.0.0.1:3000"
				b, err := newBudget(c, files)
				if err != nil {
					continue // too few, and it says so
				}
				used := reserve() + b.connections + b.handshakes + 2*b.upstreamRequests + min(b.upstreamRequests, upstreamIdleMost)
				quarter := (files - reserve()) / 4
				if used > files || b.connections < 1 || b.handshakes > max(1, quarter) || 2*b.upstreamRequests > max(2, quarter) {
					t.Errorf("%d files, handshakes and upstream requests of %d: got %+v, which are %d", files, wanted, *b, used)
				}
				if wanted != 0 && len(dry) == 0 && b.handshakes > wanted {
					t.Errorf("limits.handshakes=%d: got %d", wanted, b.handshakes)
				}
			}
		}
	}
}
