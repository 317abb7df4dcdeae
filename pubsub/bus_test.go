package pubsub

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// dropPublished has a node of a Cluster throw away what the bus brings of PUBLISH, and nothing else; or, with drop
// false, take it again.
func dropPublished(t *testing.T, c *redis.Client, drop bool) {
	t.Helper()
	packets := -1 // none
	if drop {
		packets = 4 // CLUSTERMSG_TYPE_PUBLISH
	}
	if err := c.Do(t.Context(), "DEBUG", "DROP-CLUSTER-PACKET-FILTER", packets).Err(); err != nil {
		t.Fatal(err)
	}
}

// busAt are options of which a machine that is busy can keep up with the canaries.
func busAt(c *redistest.Cluster) Options {
	o := fastAt(c.URL())
	o.CanaryInterval, o.CanaryTimeout = 400*time.Millisecond, 2*time.Second
	return o
}

// debuggable starts a Cluster of three masters whose bus can be broken.
func debuggable(t *testing.T) *redistest.Cluster {
	t.Helper()
	return redistest.StartCluster(t, 3, 0, "--enable-debug-command", "yes")
}

// The node answers, is a master for all, and says that the Cluster is well.
func TestALinkLeavesANodeToWhichTheBusIsBroken(t *testing.T) {
	t.Parallel()
	c := debuggable(t)
	o := busAt(c)
	reg := secrecy.Registry(t)
	var text logged
	o.Metrics, o.Log = reg, newTextLog(t, &text)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	old := at(t, b)
	dropPublished(t, node(t, c, old).Client(), true)
	eventually(t, "an end for the bus", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "bus") > 0 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	if got := at(t, b); got == old {
		t.Errorf("the link is at %s, which hears no other", got)
	}
	if want := "does not come to " + old; !strings.Contains(text.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, text.String())
	}
	for _, s := range c.Nodes() {
		if s.Addr() != old {
			backendSays(t, s.Client(), r, "a", "at "+s.Addr())
		}
	}
	publishSoon(t, b, r, "a", "by a client")
	ready(t, b)
}

func TestABusBrokenEverywhereMakesUnreadyAndItsEndGivesAGap(t *testing.T) {
	t.Parallel()
	c := debuggable(t)
	o := busAt(c)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	ends := func() float64 { return count(t, reg, "roomgate_redis_reconnects_total", "bus") }
	subscribe(t, b, "a")
	ready(t, b)
	for _, s := range c.Nodes() {
		dropPublished(t, s.Client(), true)
	}
	eventually(t, "why in Ready", func() bool {
		err := b.Ready()
		return err != nil && strings.Contains(err.Error(), "over the Cluster's bus, nor to other nodes")
	})
	if got := ends(); got != deafTries-1 {
		t.Errorf("%v links ended for the bus, want %d", got, deafTries-1)
	}
	old, gaps := at(t, b), r.gapsByRoom()["a"]
	for _, s := range c.Nodes() {
		dropPublished(t, s.Client(), false)
	}
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > gaps })
	ready(t, b)
	if got := ends(); got != deafTries-1 || at(t, b) != old {
		t.Errorf("%v links ended for the bus, and the last is at %s: want that the one at %s stays", got, at(t, b), old)
	}
	for _, s := range c.Nodes() {
		backendSays(t, s.Client(), r, "a", "at "+s.Addr())
	}
}
