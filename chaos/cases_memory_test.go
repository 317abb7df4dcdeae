//go:build linux

package chaos

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// A replica with little memory, large messages, and clients that read nothing: it ends those, and
// stays within its bounds, though more waits for them than the heap may grow by.
func TestChaosReplicaShortOfMemory(t *testing.T) {
	parallel(t)
	const limit, deaf = 20 << 10, 40 // KiB; clients
	w := startGateways(t, setup{name: "GOMEMLIMIT=20MiB, large messages, clients that do not read", pads: map[int]int{0: 64 << 10},
		env: []string{fmt.Sprintf("GOMEMLIMIT=%dKiB", limit), "ROOMGATE_LIMITS_OUTBOX_BYTES=8MiB", "ROOMGATE_LIMITS_OUTBOX_TOTAL_BYTES=20MiB",
			"ROOMGATE_HTTP_PING_INTERVAL=10m"}}, 1) // or they could be ended for want of a pong
	r := w.replicas[0]
	most, reached := 0, 0.0
	w.strike(func() {
		for range deaf {
			dialDeaf(t, w, r)
		}
		w.awaitOr("those that do not read are ended", func() bool {
			lasts(askEvery)
			most = max(most, r.rss())
			// What GOMEMLIMIT is about: all that the runtime has of the system, but for what it gave back.
			reached = max(reached, r.metric("go_memstats_sys_bytes", "")-r.metric("go_memstats_heap_released_bytes", ""))
			ended := r.series("roomgate_connections_ended_total", "reason")
			return ended["slow_consumer"]+ended["outboxes_full"] >= deaf
		})
	})
	t.Logf("resident: %d MiB at most, of the runtime's: %.1f MiB, GOMEMLIMIT %d MiB", most>>10, reached/(1<<20), limit>>10)
	if most > 3*limit {
		t.Errorf("%d MiB were resident, with GOMEMLIMIT %d MiB", most>>10, limit>>10)
	}
	if reached < 0.8*limit*1024 {
		t.Errorf("the runtime had %.1f MiB at most: GOMEMLIMIT (%d MiB) was never near", reached/(1<<20), limit>>10)
	}
	w.finish()
}

// dialDeaf connects a client that is not counted to a replica, in the first room. It reads no more than
// the handshake, and its kernel takes little for it.
func dialDeaf(t *testing.T, w *world, r *replica) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	c, err := dialWire(ctx, r.addr, nil, "room=r0", formatRaw, w.token)
	if err != nil {
		t.Fatalf("a client that will not read was not let in: %v", err)
	}
	t.Cleanup(c.close)
	if err := c.nc.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
}
