//go:build linux

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// lasts lets a fault last.
func lasts(d time.Duration) { time.Sleep(d) }

func TestChaosRedisKilled(t *testing.T) {
	parallel(t)
	w := startLone(t, setup{name: "redis-server killed, and started again", gaps: 2})
	w.strike(func() {
		w.redis.Kill()
		lasts(pick(time.Second, 10*time.Second))
		w.awaitLinksEnd(1, linkClosed)
		w.redis.Restart()
	})
	w.finish()
}

// A stop that is over before the canary is missed costs nobody anything: no link, no gap. In the full
// form there is a canary each half second, so that the last before the stop is no older; in the short
// one the machine may be busy, and there is more time instead.
func TestChaosRedisStopped(t *testing.T) {
	parallel(t)
	interval, timeout := pick(2*time.Second, 500*time.Millisecond), pick(12*time.Second, 6*time.Second)
	w := startLone(t, setup{name: fmt.Sprintf("redis-server stopped for 5 s (SIGSTOP), redis.canary_timeout is %v", timeout),
		env: []string{"ROOMGATE_REDIS_CANARY_INTERVAL=" + interval.String(), "ROOMGATE_REDIS_CANARY_TIMEOUT=" + timeout.String()}})
	w.strike(func() { w.stopFor(5*time.Second, func() {}) })
	w.wantLinksStay()
	w.finish()
}

func TestChaosRedisStoppedForLong(t *testing.T) {
	parallel(t)
	d := pick(10*time.Second, time.Minute)
	w := startLone(t, setup{name: "redis-server stopped for " + d.String(), gaps: 2})
	w.strike(func() { w.stopFor(d, func() { w.awaitLinksEnd(1, linkCanary) }) })
	w.finish()
}

// toxiproxy goes on accepting connections, and nothing comes through.
func TestChaosBlackholeByProxy(t *testing.T) {
	parallel(t)
	w := startLone(t, setup{name: "blackhole both ways, by toxiproxy", gaps: 2})
	w.strike(func() {
		w.proxy.poison("timeout", `"timeout":0`)
		lasts(pick(5*time.Second, 30*time.Second))
		w.awaitLinksEnd(1, linkCanary) // mending ends all connections, which would hide that nobody has noticed
		w.proxy.heal()
	})
	w.finish()
}

// More is published than comes through, so that all is later and later; and if a canary is late for too
// long, the link is given up.
func TestChaosSlowLink(t *testing.T) {
	parallel(t)
	rate := pick(3, 10)
	w := startLone(t, setup{name: fmt.Sprintf("latency of 500 ms and %d KB/s, each way", rate), gaps: pick(6, 8)})
	w.strike(func() {
		w.proxy.poison("latency", `"latency":500`)
		w.proxy.poison("bandwidth", fmt.Sprintf(`"rate":%d`, rate))
		lasts(pick(8*time.Second, 30*time.Second))
		w.awaitOr("messages are later than the latency makes them, or the links are given up", func() bool {
			lasts(askEvery)
			return w.latencies.of(phaseFault).Max > float64(tooSlow.Milliseconds()) || w.lostLinks(w.before, linkCanary) >= w.living()
		})
		w.proxy.heal()
	})
	w.finish()
}

// tooSlow is what no message takes for a latency of 500 ms alone.
const tooSlow = 2 * time.Second

func TestChaosConnectionsReset(t *testing.T) {
	parallel(t)
	const resets = 10
	w := startLone(t, setup{name: "each connection reset (RST) at the age of 1 s, for 10 s", gaps: resets + 2})
	w.strike(func() {
		w.flapper.flap(time.Second)
		lasts(resets * time.Second)
		w.awaitLinksEnd(resets/2, linkClosed) // it connects again after a pause, by its backoff
		w.flapper.flap(0)
	})
	w.finish()
}

func TestChaosClientKill(t *testing.T) {
	parallel(t)
	const kills = 5
	w := startLone(t, setup{name: "CLIENT KILL TYPE pubsub, five times", gaps: kills + 1})
	client := w.redis.Client()
	w.strike(func() {
		for i := range kills {
			w.killSubscribers(client)
			w.awaitLinksEnd(i+1, linkClosed)
		}
	})
	w.finish()
}

// Redis ends a subscriber that takes too little: here since the link is slow, and messages of one
// room are large. The gateway would give up by itself, for want of canaries, but is told to wait.
func TestChaosOutputBufferLimit(t *testing.T) {
	parallel(t)
	log := filepath.Join(t.TempDir(), "redis.log")
	w := startLone(t, setup{name: "client-output-buffer-limit pubsub reached", pads: map[int]int{0: 64 << 10}, gaps: 4,
		env: []string{"ROOMGATE_LIMITS_OUTBOX_BYTES=16MiB", "ROOMGATE_REDIS_CANARY_TIMEOUT=10m"}},
		"--client-output-buffer-limit", "pubsub 256kb 128kb 1", "--logfile", log)
	before := subscribers(t, w.redis.Client())
	if len(before) != w.living() {
		t.Errorf("%d clients subscribe, want one of each of %d replicas", len(before), w.living())
	}
	w.strike(func() {
		w.proxy.poison("bandwidth", `"rate":10`)
		w.awaitOr("Redis says that it has ended the link of each replica for its output buffer", func() bool {
			return !slices.ContainsFunc(before, func(id string) bool { return !endedForBuffer(t, log, id) })
		})
		w.proxy.heal()
	})
	w.finish()
}

// endedForBuffer reports whether Redis's log says so of a client, id=….
func endedForBuffer(t *testing.T, log, id string) bool {
	t.Helper()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, id+" ") && strings.Contains(line, "overcoming of output buffer limits") {
			return true
		}
	}
	return false
}
