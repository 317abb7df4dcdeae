//go:build linux

package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

// hostileDuration is how long the attack lasts: ROOMGATE_HOSTILE_DURATION (make hostile: 60 s).
func hostileDuration(t testing.TB) (d time.Duration, long bool) {
	s := os.Getenv("ROOMGATE_HOSTILE_DURATION")
	if s == "" {
		return 3 * time.Second, false
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d, true
}

// A thousand honest clients go on receiving, while others do everything at once that is
// expensive, slow or forbidden. Nobody honest loses a message or is closed, newcomers get in,
// and what the attack took is given back.
//
// Attackers come from 500 addresses, honest clients from 100. At first no address has a limit,
// as by default on loopback: it is as if they came from everywhere. In the long run they then
// attack once more, with the limits that public addresses have by default.
func TestHostileClientsCostHonestOnesNothing(t *testing.T) {
	duration, long := hostileDuration(t)
	if !long { // what a stranger may take must end within
		attackFor(t, duration, 5, "ROOMGATE_HTTP_HANDSHAKE_TIMEOUT=1s", "ROOMGATE_LIMITS_FRAME_TIMEOUT=1s", "ROOMGATE_AUTH_TIMEOUT=1s")
		return
	}
	t.Run("from everywhere", func(t *testing.T) { attackFor(t, duration, 20) })
	t.Run("with address limits", func(t *testing.T) {
		attackFor(t, duration, 20, "ROOMGATE_LIMITS_CONNECTIONS_PER_ADDRESS=1000", "ROOMGATE_LIMITS_HANDSHAKES_PER_ADDRESS=600",
			"ROOMGATE_LIMITS_FAILED_TOKENS_PER_ADDRESS=60")
	})
}

// attackFor runs a gateway with these settings, which sends each honest client rate messages a
// second: quietly for a while, and then under attack for duration.
func attackFor(t *testing.T, duration time.Duration, rate int, settings ...string) {
	const clients, rooms = 1000, 50
	quiet := max(duration/4, time.Second)
	redis := redistest.Start(t)
	g := startGate(t, redis.URL(), append(settings, "ROOMGATE_HTTP_PING_INTERVAL=5s", "ROOMGATE_HTTP_PONG_TIMEOUT=4s")...)
	h := startHonest(t, g, redis, clients, rooms, rate)

	before := g.settled(time.Second, func(footprint) bool { return false })
	cpu := g.cpu()
	h.phase.Store(phaseQuiet)
	quietNew := h.watch(t, g, quiet)
	h.phase.Store(phaseNone)
	quietCPU := float64(g.cpu()-cpu) / float64(quiet)

	g.forgetPeak()
	cpu = g.cpu()
	stopBusy := makeBusy(t, redis)
	token := newToken(t, "evil", "evil:**")
	end := startAttack(t, &attack{Addr: g.addr, Token: token, Busy: newToken(t, "evil", "busy"), Connects: 5000})
	h.phase.Store(phaseHostile)
	hostileNew := h.watch(t, g, duration)
	h.phase.Store(phaseNone)
	hostileCPU := float64(g.cpu()-cpu) / float64(duration)
	peak, waiting := g.memory("VmHWM"), g.metric("roomgate_outbox_bytes", "")
	outcomes := end()
	stopBusy()

	await(t, "the attackers' connections are gone", func() bool { return g.metric("roomgate_connections", "") == clients })
	back := func(f footprint) bool {
		return f.rss <= before.rss+before.rss/4+(12<<10) && f.goroutines <= before.goroutines+10
	}
	after := g.settled(20*time.Second, back)
	received := h.finish()
	logged := len(g.said())

	t.Logf("%d honest clients in %d rooms with %d messages/s each: %d messages received, none lost", clients, rooms, rate, received)
	t.Logf("latency, quiet:   %v", h.took(phaseQuiet))
	t.Logf("latency, hostile: %v", h.took(phaseHostile))
	t.Logf("connect to hello, quiet:   %v", percentiles(quietNew))
	t.Logf("connect to hello, hostile: %v", percentiles(hostileNew))
	t.Logf("CPU of the gateway: %.2f cores quiet, %.2f hostile; its log: %d KiB", quietCPU, hostileCPU, logged>>10)
	t.Logf("before: %v; peak: %d MiB, with %d KiB in outboxes at its end; after: %v", before, peak>>10, waiting>>10, after)
	t.Logf("attackers, in %v:%s", duration, summary(outcomes))
	tried := 0
	for _, n := range outcomes["bad tokens"] {
		tried += n
	}
	t.Logf("connects with bad tokens: %.0f a second, of 5000 wanted", float64(tried)/duration.Seconds())
	for name, outcome := range hostileOutcomes {
		for got := range outcomes[name] {
			if got != outcome && got != "status 429" && got != "cut off" {
				t.Errorf("%s: came to %s, want %s, or 429 where there are limits", name, got, outcome)
			}
		}
	}
	if !back(after) {
		t.Errorf("the footprint is %v after the attack, and was %v before it", after, before)
	}
	g.wantSound(token, token[strings.LastIndexByte(token, '.')+1:], testSecret)
}

// hostileOutcomes is how the gateway ends each kind of attack.
var hostileOutcomes = map[string]string{
	"bad tokens": "close 4002", "close floods": "close 1000", "connect and reset": "done", "deflate bombs": "close 1002",
	"giant frames": "close 1009", "half-open": "cut off", "never read": "cut off", "no auth message": "close 4008",
	"ping floods": "close 4101", "slow frames": "close 4204", "slow handshakes": "cut off", "subscribe floods": "close 4101",
}

// watch lets a phase last, and returns how long newcomers took to get in.
func (h *honest) watch(t testing.TB, g *gate, d time.Duration) []time.Duration {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return newcomers(ctx, t, g, 50*time.Millisecond)
}

// makeBusy publishes much to the room of those who do not read.
func makeBusy(t testing.TB, redis *redistest.Server) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	client := redis.Client()
	payload, _ := json.Marshal(strings.Repeat("x", 16<<10)) // a string: cannot fail
	sending.Go(func() {
		for ctx.Err() == nil {
			client.Publish(ctx, "room:busy", payload)
			time.Sleep(10 * time.Millisecond) // its own pace
		}
	})
	return func() { cancel(); sending.Wait() }
}
