//go:build linux

package chaos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	s := setup{name: "blackhole both ways, by a cable that is down (netns)", spawn: func(s *spawn) { s.net, s.host = island, front.in }}
	w := startLoneAt(t, s, back.out, "--bind", "127.0.0.1 "+back.out, "--protected-mode", "no")
	w.strike(func() {
		back.cut()
		lasts(pick(5*time.Second, 30*time.Second))
		back.mend()
	})
	w.finish()
}

// A partition is a master and the gateways on an island, and two replicas and all sentinels on the
// mainland. The test reaches both by cables of their own.
type partition struct {
	*world
	strait           *cable // between the two
	island, shore    string // the test's way to the hosts of the two
	mainland         *netns
	ashore, marooned atomic.Pointer[[]string] // where publishers of the mainland, and of the island, find a master
}

// The cable is cut. The mainland makes another server master; backends there publish to that, and
// those of the island go on with the old one, to which the gateways are subscribed. Once the cable is
// mended, the gateways have to say that they missed what the mainland published. What is published to
// the old master after they have left it reaches nobody, and no gateway can know of it: so the
// island's publishers move when the cable is mended.
func TestChaosSentinelPartition(t *testing.T) {
	parallel(t)
	if !inNamespaces(t) {
		return
	}
	p := startPartition(t)
	p.strike(func() {
		p.ashore.Store(p.addrs(p.shore, 6379, 6380))
		p.strait.cut()
		await(t, patience, "the mainland has a master of its own", p.failedOver)
		marks := p.marks()
		await(t, patience, "messages on both sides", func() bool {
			for room, n := range p.marks() {
				if n < marks[room]+settled {
					return false
				}
			}
			return true
		})
		p.marooned.Store(p.ashore.Load())
		p.mend()
	})
	p.finish()
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
		url: url, env: pick(canary, nil), mayEnd: []int{codeGap}, spawn: func(s *spawn) { s.net, s.host = island, front.in },
		targets: []func() target{
			seek(func() []string { return *p.ashore.Load() }),
			seek(func() []string { return *p.marooned.Load() }),
		}})
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

// startRedis starts a redis-server in a namespace, which all that reach it may use.
func startRedis(t *testing.T, n *netns, port int, args ...string) {
	t.Helper()
	startIn(t, n, slices.Concat([]string{"redis-server", "--port", fmt.Sprint(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
		"--dir", t.TempDir(), "--loglevel", "warning", "--repl-diskless-sync-delay", "0"}, args))
}

func startSentinel(t *testing.T, n *netns, port int) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	lines := []string{fmt.Sprintf("sentinel monitor mymaster %s 6379 2", islandHost), "sentinel down-after-milliseconds mymaster 1000",
		"sentinel failover-timeout mymaster 5000", "sentinel announce-ip " + mainlandHost}
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startIn(t, n, []string{"redis-server", conf, "--sentinel", "--port", fmt.Sprint(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", t.TempDir(), "--loglevel", "warning"})
}

func startIn(t *testing.T, n *netns, args []string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the process has its own
	startProcess(t, os.Environ(), out, 0, append(n.enter(), args...)...)
}
