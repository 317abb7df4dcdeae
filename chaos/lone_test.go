//go:build linux

package chaos

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
)

// A lone world has one Redis server, and between it and the gateways a flapper and a toxiproxy.
// Publishers go to the server.
type lone struct {
	*world
	redis   *redistest.Server
	proxy   *proxy
	flapper *flapper
}

// startLone starts a lone world. args are redis-server's.
func startLone(t *testing.T, s setup, args ...string) *lone {
	t.Helper()
	server := redistest.Start(t, args...)
	proxy := startProxy(t, server.Addr())
	flapper := startFlapper(t, proxy.addr)
	s.url = "redis://" + flapper.l.Addr().String()
	return &lone{startOn(t, s, server), server, proxy, flapper}
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
	if s.gaps > 0 { // raw clients come back while Redis is still broken
		s.mayEnd = append(s.mayEnd, codeRedis)
	}
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

// stopFor stops Redis, which takes nothing then. proof is what has to be seen before it goes on.
func (w *lone) stopFor(d time.Duration, proof func()) {
	w.t.Helper()
	w.redis.Pause()
	lasts(stopNoticed)
	before := w.ledger.published()
	lasts(d - stopNoticed)
	if more := w.ledger.published() - before; more > 0 {
		w.t.Errorf("Redis took %d messages while it was stopped", more)
	}
	proof()
	w.redis.Resume()
}

// stopNoticed is for what was answered before the stop to be counted.
const stopNoticed = 300 * time.Millisecond

// killSubscribers kills the link of each replica.
func (w *lone) killSubscribers(client *redis.Client) {
	w.t.Helper()
	w.awaitOr("each replica has a link", func() bool { return len(subscribers(w.t, client)) >= w.living() })
	n, err := client.ClientKillByFilter(context.Background(), "TYPE", "pubsub").Result()
	if err != nil || int(n) < w.living() {
		w.t.Errorf("CLIENT KILL TYPE pubsub killed %d connections (error: %v), want one of each of %d replicas", n, err, w.living())
	}
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
