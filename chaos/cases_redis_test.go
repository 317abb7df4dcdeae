//go:build linux

package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
)

// A lone world has one Redis server, and a toxiproxy between it and the gateways. Publishers go to
// the server.
type lone struct {
	*world
	redis *redistest.Server
	proxy *proxy
}

// canary are the settings of the short form, which proves Redis more often than by default.
var canary = []string{"ROOMGATE_REDIS_CANARY_INTERVAL=500ms", "ROOMGATE_REDIS_CANARY_TIMEOUT=2s"}

// startLone starts a lone world. args are redis-server's.
func startLone(t *testing.T, name string, args ...string) *lone {
	t.Helper()
	return startLoneAs(t, setup{name: name}, args...)
}

func startLoneAs(t *testing.T, s setup, args ...string) *lone {
	t.Helper()
	server := redistest.Start(t, args...)
	proxy := startProxy(t, server.Addr())
	s.url = "redis://" + proxy.addr
	return &lone{startOn(t, s, server), server, proxy}
}

// startLoneAt starts a world whose gateways reach the server at host, without a proxy between.
func startLoneAt(t *testing.T, s setup, host string, args ...string) *world {
	t.Helper()
	server := redistest.Start(t, args...)
	_, port, _ := strings.Cut(server.Addr(), ":")
	s.url = "redis://" + host + ":" + port
	return startOn(t, s, server)
}

func startOn(t *testing.T, s setup, server *redistest.Server) *world {
	t.Helper()
	s.clients, s.rooms, s.rate, s.replicas = pick(100, 400), pick(10, 40), 10, 2
	s.targets, s.mayEnd = targets(server, 2), append(s.mayEnd, codeGap)
	s.env = append(pick(canary, nil), s.env...)
	return newWorld(t, s)
}

// targets are n publishers of one server.
func targets(s *redistest.Server, n int) []func() target {
	return slices.Repeat([]func() target{seek(addrs(s))}, n)
}

// addrs are the addresses of servers.
func addrs(servers ...*redistest.Server) func() []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Addr())
	}
	return func() []string { return all }
}

// moment is long enough for a gateway to notice that its connection is gone, and to have another.
const moment = 300 * time.Millisecond

// lasts lets a fault last.
func lasts(d time.Duration) { time.Sleep(d) }

func TestChaosRedisKilled(t *testing.T) {
	parallel(t)
	w := startLone(t, "redis-server killed, and started again")
	w.strike(func() {
		w.redis.Kill()
		lasts(pick(time.Second, 10*time.Second))
		w.redis.Restart()
	})
	w.finish()
}

func TestChaosRedisStopped(t *testing.T) {
	parallel(t)
	w := startLone(t, "redis-server stopped for 5 s (SIGSTOP)")
	w.strike(func() { w.stopFor(5 * time.Second) })
	w.finish()
}

func TestChaosRedisStoppedForLong(t *testing.T) {
	parallel(t)
	d := pick(10*time.Second, time.Minute)
	w := startLone(t, "redis-server stopped for "+d.String())
	w.strike(func() { w.stopFor(d) })
	w.finish()
}

func (w *lone) stopFor(d time.Duration) {
	w.redis.Pause()
	lasts(d)
	w.redis.Resume()
}

// toxiproxy goes on accepting connections, and nothing comes through.
func TestChaosBlackholeByProxy(t *testing.T) {
	parallel(t)
	w := startLone(t, "blackhole both ways, by toxiproxy")
	w.strike(func() {
		w.proxy.poison("timeout", `"timeout":0`)
		lasts(pick(5*time.Second, 30*time.Second))
		w.proxy.heal()
	})
	w.finish()
}

func TestChaosSlowLink(t *testing.T) {
	parallel(t)
	w := startLone(t, "latency of 500 ms and 10 KB/s, each way")
	w.strike(func() {
		w.proxy.poison("latency", `"latency":500`)
		w.proxy.poison("bandwidth", `"rate":10`)
		lasts(pick(8*time.Second, 30*time.Second))
		w.proxy.heal()
	})
	w.finish()
}

func TestChaosConnectionsReset(t *testing.T) {
	parallel(t)
	w := startLone(t, "each connection reset after 1 s, for 10 s")
	w.strike(func() {
		w.proxy.poison("reset_peer", `"timeout":1000`)
		lasts(10 * time.Second)
		w.proxy.heal()
	})
	w.finish()
}

func TestChaosClientKill(t *testing.T) {
	parallel(t)
	w := startLone(t, "CLIENT KILL TYPE pubsub, five times")
	client := w.redis.Client()
	w.strike(func() {
		for range 5 {
			if err := client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
				t.Error(err)
			}
			lasts(500 * time.Millisecond)
		}
	})
	w.finish()
}

// Redis ends a subscriber that takes too little: here since the link is slow, and messages of one
// room are large. The gateway would give up by itself, for want of canaries, but is told to wait.
func TestChaosOutputBufferLimit(t *testing.T) {
	parallel(t)
	w := startLoneAs(t, setup{name: "client-output-buffer-limit pubsub reached", pads: map[int]int{0: 64 << 10},
		env: []string{"ROOMGATE_LIMITS_OUTBOX_BYTES=16MiB", "ROOMGATE_REDIS_CANARY_TIMEOUT=1m"}},
		"--client-output-buffer-limit", "pubsub 256kb 128kb 1")
	client := w.redis.Client()
	before := subscribers(t, client)
	w.strike(func() {
		w.proxy.poison("bandwidth", `"rate":10`)
		await(t, patience, "Redis has ended the subscribers", func() bool {
			now := subscribers(t, client)
			return !slices.ContainsFunc(before, func(id string) bool { return slices.Contains(now, id) })
		})
		w.proxy.heal()
	})
	w.finish()
}

// subscribers are the connections to Redis that subscribe.
func subscribers(t *testing.T, client *redis.Client) (ids []string) {
	t.Helper()
	list, err := client.Do(t.Context(), "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(list) {
		ids = append(ids, strings.Fields(line)[0]) // id=…
	}
	return ids
}
