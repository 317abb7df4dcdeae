package main

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/roomgate/roomgate/config"
)

// reserve is how many descriptors are not for clients: listeners, log, the admin's connections,
// requests that are being refused, and those to Redis, of which go-redis may open ten a CPU.
func reserve() int { return 128 + 10*runtime.GOMAXPROCS(0) }

// A budget is how many of each there may be, so that there are descriptors for all.
type budget struct {
	connections      int // WebSockets
	handshakes       int // connections that bring no request; beyond, the oldest is closed
	dryHandshakes    int // beyond this it is only counted; 0: not at all
	upstreamRequests int // that http.upstream handles; 0: it is not set
}

// newBudget divides the descriptors of a process that may have openFiles as c asks. Handshakes and
// requests to the upstream get a quarter of what there is at most, each.
func newBudget(c *config.Config, openFiles int) (*budget, error) {
	others := reserve()
	b := &budget{handshakes: share(c.Limits.Handshakes, (openFiles-others)/4)}
	if slices.Contains(c.Limits.DryRun, limitHandshakes) {
		b.dryHandshakes = c.Limits.Handshakes
		b.handshakes = share(0, (openFiles-others)/4)
	}
	if c.HTTP.Upstream != "" {
		// Each has the client's and the API's, and leaves the API's idle behind.
		b.upstreamRequests = share(c.Limits.UpstreamRequests, (openFiles-others)/4/3)
		others += 2*b.upstreamRequests + min(b.upstreamRequests, upstreamIdleMost)
	}
	others += b.handshakes

	wanted, most := c.Limits.Connections, openFiles-others
	switch {
	case most < 1:
		return nil, fmt.Errorf("the limit of open files is %d, and %d are needed besides connections: "+
			"raise it (ulimit -n, LimitNOFILE= in systemd)", openFiles, others)
	case wanted > most:
		return nil, fmt.Errorf("limits.connections: %d is more than the limit of open files permits: %d, less %d for other uses: "+
			"raise it to %d (ulimit -n, LimitNOFILE= in systemd), or lower the setting", wanted, openFiles, others, wanted+others)
	case wanted == 0:
		wanted = most
	}
	b.connections = wanted
	return b, nil
}

// share is wanted, or if that is 0 as much as there can be, but at most most and at least 1.
func share(wanted, most int) int {
	if wanted == 0 {
		wanted = most
	}
	return max(1, min(wanted, most))
}
