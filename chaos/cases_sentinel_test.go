//go:build linux

package chaos

import (
	"slices"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
)

func TestChaosSentinelMasterKilled(t *testing.T) {
	parallel(t)
	g := redistest.StartSentinel(t)
	w := newWorld(t, setup{name: "Sentinel: master killed", clients: pick(100, 400), rooms: pick(10, 40), rate: 10, replicas: 2, env: pick(canary, nil),
		url: g.URL(), targets: slices.Repeat([]func() target{seek(addrs(g.Servers()...))}, 2), mayEnd: []int{codeGap}})
	w.strike(func() { g.Master().Kill() })
	w.finish()
}

// The master does not answer, another takes over, and then the old one is back and believes for a
// moment that it still is.
func TestChaosSentinelMasterStopped(t *testing.T) {
	parallel(t)
	g := redistest.StartSentinel(t)
	w := newWorld(t, setup{name: "Sentinel: master stopped, and back once another is", clients: pick(100, 400), rooms: pick(10, 40), rate: 10, replicas: 2, env: pick(canary, nil),
		url: g.URL(), targets: slices.Repeat([]func() target{seek(addrs(g.Servers()...))}, 2), mayEnd: []int{codeGap}})
	w.strike(func() {
		old := g.Master()
		old.Pause()
		g.AwaitMaster(old)
		old.Resume()
	})
	w.finish()
}
