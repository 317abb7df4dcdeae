//go:build linux

package chaos

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

// A guarded world has a master, two replicas and the sentinels that guard them.
type guarded struct {
	*world
	sentinel *redistest.Sentinel
	masters  atomic.Pointer[[]string] // where publishers look for a master
}

func startGuarded(t *testing.T, name string) *guarded {
	t.Helper()
	g := &guarded{sentinel: redistest.StartSentinel(t)}
	g.lookFor(g.sentinel.Servers())
	publish := seek(func() []string { return *g.masters.Load() })
	g.world = newWorld(t, setup{name: "Sentinel: " + name, clients: pick(100, 400), rooms: pick(10, 40), rate: 10, replicas: 2,
		url: g.sentinel.URL(), targets: []func() target{publish, publish}, mayEnd: []int{codeGap, codeRedis}, gaps: 3, within: failoverMost})
	return g
}

// failoverMost is for the sentinels to agree, twice if their votes were split, and for the gateways to follow.
var failoverMost = pick(40*time.Second, 30*time.Second)

func (g *guarded) lookFor(servers []*redistest.Server) {
	all := addrs(servers...)()
	g.masters.Store(&all)
}

func TestChaosSentinelMasterKilled(t *testing.T) {
	parallel(t)
	g := startGuarded(t, "master killed")
	old := g.sentinel.Master()
	g.strike(old.Kill)
	g.awaitLinksEnd(1, linkClosed)
	if g.sentinel.Master() == old {
		t.Error("the master that was killed is still the master")
	}
	g.finish()
}

// The master does not answer, another takes over, and then the old one is back and believes for a
// moment that it still is. Publishers believe the sentinels: what is published to the old one when the
// gateways have left it reaches nobody, and no gateway can know of it.
func TestChaosSentinelMasterStopped(t *testing.T) {
	parallel(t)
	g := startGuarded(t, "master stopped, and back once another is")
	g.strike(func() {
		old := g.sentinel.Master()
		old.Pause()
		g.lookFor(slices.DeleteFunc(slices.Clone(g.sentinel.Servers()), func(s *redistest.Server) bool { return s == old }))
		g.sentinel.AwaitMaster(old)
		g.awaitLinksEnd(1, linkCanary, linkDemoted)
		old.Resume()
	})
	g.finish()
}
