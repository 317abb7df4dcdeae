//go:build linux

package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Addresses that both sides of the partition know, whatever becomes of the cable between.
const (
	mainlandHost = "198.19.0.1"
	islandHost   = "198.19.0.2"
)

// Nothing that the gateways send to Redis arrives, nor what it sends to them, and nobody is told.
func TestChaosBlackholeByCable(t *testing.T) {
	parallel(t)
	if !inNamespaces(t) {
		return
	}
	island := newNetns(t)
	front, back := island.connect(nil), island.connect(nil)
	s := setup{name: "blackhole both ways, by a cable that is down (netns)", gaps: 2, spawn: func(s *spawn) { s.net, s.host = island, front.in }}
	w := startLoneAt(t, s, back.out, "--bind", "127.0.0.1 "+back.out, "--protected-mode", "no")
	w.strike(func() {
		back.cut()
		lasts(pick(5*time.Second, 30*time.Second))
		w.awaitLinksEnd(1, linkCanary)
		back.mend()
	})
	w.finish()
}

// A partition is a master and two gateways on an island, and two replicas, all sentinels and a third
// gateway on the mainland. The test reaches both by cables of their own.
type partition struct {
	*world
	strait           *cable // between the two
	island, shore    string // the test's way to the hosts of the two
	mainland         *netns
	control          *replica                 // the gateway of the mainland
	ashore, marooned atomic.Pointer[[]string] // where publishers of the mainland, and of the island, find a master
}

// The cable is cut. The mainland makes another server master; backends there publish to that, and
// those of the island go on with the old one, to which the island's gateways are subscribed. They serve
// the island's rooms all the while, and the mainland's gateway those of the mainland, once there is a
// master. When the cable is mended, the island's gateways have to say that they missed what the mainland
// published. What is published to the old master after they have left it reaches nobody, and no gateway
// can know of it: so the island's publishers move when the cable is mended.
func TestChaosSentinelPartition(t *testing.T) {
	parallel(t)
	if !inNamespaces(t) {
		return
	}
	p := startPartition(t)
	var before counts // when the cable was mended
	p.strike(func() {
		p.ashore.Store(p.addrs(p.shore, 6379, 6380))
		p.strait.cut()
		p.awaitOr("the mainland has a master of its own", p.failedOver)
		p.awaitTaken(settled, p.rooms(0))
		p.awaitServed("the island's gateways serve the island's rooms", func(c *client, k *track) bool {
			return !c.raw && c.addr != p.control.addr && k.room%2 == 1
		})
		p.awaitServed("the mainland's gateway serves the mainland's rooms", func(c *client, _ *track) bool {
			return !c.raw && c.addr == p.control.addr
		})
		before = p.counts()
		p.marooned.Store(p.ashore.Load())
		p.mend()
	})
	delete(before, p.control)
	p.awaitLinksEndSince(before, 1, linkDemoted, linkClosed) // Sentinel ends the connections of a master that it demotes
	p.finish()
}

// rooms are those of one publisher: 0 is the mainland's, 1 the island's.
func (p *partition) rooms(publisher int) (all []int) {
	for room := publisher; room < p.s.rooms; room += 2 {
		all = append(all, room)
	}
	return all
}

// awaitServed waits until messages that Redis takes from now on have come to those that are wanted.
func (p *partition) awaitServed(what string, wanted func(*client, *track) bool) {
	p.t.Helper()
	marks := p.marks()
	p.awaitOr(what, func() bool { return p.behindIn(marks, wanted) == 0 })
}

// controls are how many clients the mainland's gateway has.
const controls = 12

// addControl starts a gateway on the mainland, with clients of its own in rooms of the mainland: it
// cannot hear what is published on the island while the cable is cut, nor know of it.
func (p *partition) addControl(host string) {
	p.t.Helper()
	p.control = start(p.t, spawn{name: "the mainland's replica", net: p.mainland, host: host, env: p.settings()})
	p.replicas = append(p.replicas, p.control)
	for i := range controls {
		p.enter(p.control.addr, p.rooms(0)[i%len(p.rooms(0))])
	}
	await(p.t, patience, "the mainland's clients are connected", p.online)
	p.awaitMore(1)
}

func startPartition(t *testing.T) *partition {
	t.Helper()
	island, mainland := newNetns(t), newNetns(t)
	front, back := island.connect(nil), mainland.connect(nil)
	p := &partition{strait: island.connect(mainland), island: front.in, shore: back.in, mainland: mainland}
	mainland.run("ip", "addr", "add", mainlandHost+"/32", "dev", "lo")
	island.run("ip", "addr", "add", islandHost+"/32", "dev", "lo")
	island.run("ip", "route", "add", mainlandHost, "via", p.strait.out, "src", islandHost)
	p.route()

	startRedis(t, island, 6379)
	for _, port := range []int{6379, 6380} {
		startRedis(t, mainland, port, "--replicaof", islandHost+" 6379")
	}
	sentinels := []int{26379, 26380, 26381}
	for _, port := range sentinels {
		startSentinel(t, mainland, port)
	}
	for _, port := range sentinels {
		await(t, patience, "a sentinel knows the others", func() bool { return p.knowsAll(port) })
	}
	all := p.addrs(p.shore, 6379, 6380)
	*all = append(*all, *p.addrs(p.island, 6379)...)
	p.ashore.Store(all)
	p.marooned.Store(p.addrs(p.island, 6379))

	url := "redis+sentinel://" + strings.Join(*p.addrs(mainlandHost, sentinels...), ",") + "/mymaster"
	p.world = newWorld(t, setup{name: "Sentinel: master and gateways cut off (netns)", clients: pick(100, 400), rooms: pick(10, 40), rate: 10, replicas: 2,
		url: url, mayEnd: []int{codeGap, codeRedis}, gaps: 3, within: failoverMost, spawn: func(s *spawn) { s.net, s.host = island, front.in },
		targets: []func() target{
			seek(func() []string { return *p.ashore.Load() }),
			seek(func() []string { return *p.marooned.Load() }),
		}})
	p.addControl(back.in)
	return p
}

// route leads the mainland to the island, as long as the cable is up.
func (p *partition) route() {
	p.mainland.run("ip", "route", "add", islandHost, "via", p.strait.in, "src", mainlandHost)
}

func (p *partition) mend() {
	p.strait.mend()
	p.route()
}

func (p *partition) addrs(host string, ports ...int) *[]string {
	var all []string
	for _, port := range ports {
		all = append(all, fmt.Sprintf("%s:%d", host, port))
	}
	return &all
}

// knowsAll reports whether a sentinel could fail over: it knows two replicas and two sentinels.
func (p *partition) knowsAll(port int) bool {
	return strings.Contains(p.ask(port, "SENTINEL", "CKQUORUM", "mymaster"), "OK 3 usable") && strings.Contains(p.ask(port, "INFO", "sentinel"), "slaves=2,sentinels=3")
}

func (p *partition) failedOver() bool {
	return strings.Contains(p.ask(26379, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"), mainlandHost)
}

// ask asks a sentinel; empty: no answer came.
func (p *partition) ask(port int, args ...any) string {
	client := newAsker(fmt.Sprintf("%s:%d", p.shore, port))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	answer, err := client.Do(ctx, args...).Result()
	if err != nil {
		return ""
	}
	return fmt.Sprint(answer)
}
