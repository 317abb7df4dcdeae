package pubsub

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// A link may find another server for any reason, not only since its own was wrong. Who publishes goes with it: at the
// old server a message is accepted, and reaches nobody.
func TestPublishersFollowALinkThatWasOnlyClosed(t *testing.T) {
	first, second := redistest.Start(t), redistest.Start(t)
	o := fastAt("redis://" + first.Addr() + "," + second.Addr())
	o.CanaryInterval, o.CanaryTimeout = time.Second, time.Minute // no canary ends anything here
	b, r := run(t, o)
	subscribe(t, b, "a")
	publishSoon(t, b, r, "a", "before")
	host, port, _ := net.SplitHostPort(second.Addr())
	if err := first.Client().Do(t.Context(), "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	if err := first.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	for i := range 20 { // some fail, since their connections were closed. What is accepted arrives
		m := fmt.Sprint("after", i)
		if b.Publish(t.Context(), "a", []byte(m)) == nil {
			eventually(t, m, func() bool { return slices.Contains(r.got("a"), m) })
		}
	}
}

func TestManyWhoPublishAskTheSentinelsOnce(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	b, _ := run(t, fastAt(g.URL()))
	ready(t, b)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := b.Publish(context.Background(), fmt.Sprint(i), []byte("x")); err != nil {
				t.Errorf("one of many at once: %v", err)
			}
		})
	}
	all.Wait()
}

// An ACL is each node's own. One master that refuses canaries must not pass for a proof that the link is well.
func TestAMasterThatRefusesCanariesKeepsNoDeadLink(t *testing.T) {
	t.Parallel()
	g := redistest.StartCluster(t, 3, 0)
	for _, n := range g.Nodes() {
		restrict(t, n.Client(), append(slices.Clone(recipe), "+cluster|slots", "+cluster|info")...)
	}
	o := fastAt(g.URL())
	o.Username, o.Password = "gate", secret
	o.CanaryInterval, o.CanaryTimeout = 200*time.Millisecond, time.Second
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	s, err := b.place.pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(g.Nodes(), func(n *redistest.Server) bool { return n.Addr() == s.addr })
	if err := g.Nodes()[(at+1)%3].Client().Do(t.Context(), "ACL", "SETUSER", "gate", "-publish").Err(); err != nil {
		t.Fatal(err)
	}
	g.Nodes()[at].Pause()
	defer g.Nodes()[at].Resume()
	eventually(t, "the link is elsewhere", func() bool { return r.gapsByRoom()["a"] > 0 })
}

// A script that runs too long has Redis answer BUSY to all but a few commands. What is subscribed goes on.
func TestABusyRedisCostsNoGap(t *testing.T) {
	s := redistest.Start(t, "--busy-reply-threshold", "100")
	o := fast(s)
	o.CanaryTimeout = time.Minute
	o.Metrics = secrecy.Registry(t)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	script := s.Client()
	var running sync.WaitGroup
	running.Go(func() { _ = script.Do(context.Background(), "EVAL", "while true do end", "0").Err() }) // ends by SCRIPT KILL
	defer running.Wait()
	killer := s.Client()
	eventually(t, "Redis is busy", func() bool {
		err := killer.Ping(t.Context()).Err()
		return err != nil && strings.HasPrefix(err.Error(), "BUSY")
	})
	joined := make(chan error, 1)
	go func() { joined <- b.Subscribe(context.Background(), "b") }()
	eventually(t, "b is asked for", func() bool { return b.Rooms() == 2 })
	if err := killer.Do(t.Context(), "SCRIPT", "KILL").Err(); err != nil {
		t.Error(err)
	}
	if err := <-joined; err != nil {
		t.Errorf("a room that was asked for while Redis was busy: %v", err)
	}
	if n := r.gapsByRoom()["a"]; n != 0 {
		t.Errorf("%d gaps, want none", n)
	}
}
