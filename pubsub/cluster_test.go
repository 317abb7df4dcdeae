package pubsub

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// at is the server that b's link and publishers use.
func at(t *testing.T, b *Broker) string {
	t.Helper()
	s, err := b.place.pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.addr
}

// node is the server of c at addr.
func node(t *testing.T, c *redistest.Cluster, addr string) *redistest.Server {
	t.Helper()
	for _, s := range c.Nodes() {
		if s.Addr() == addr {
			return s
		}
	}
	t.Fatalf("the Cluster has no node at %s", addr)
	return nil
}

func TestWhatIsPublishedAtAnyNodeOfAClusterArrives(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	o := fastAt(c.URL())
	o.CanaryTimeout = calm
	found, err := Probe(t.Context(), o)
	if err != nil || !strings.HasPrefix(found, "3 masters: ") {
		t.Errorf("Probe = %q, %v, want 3 masters", found, err)
	}
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	for _, s := range c.Nodes() {
		backendSays(t, s.Client(), r, "a", "at "+s.Addr())
	}
	publishSoon(t, b, r, "a", "by a client")
	if _, err := Publish(t.Context(), o, "a", []byte("by the command")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command's message", func() bool { return slices.Contains(r.got("a"), "by the command") })
	if found, err := b.Exists(t.Context(), "x", "y", "z"); found || err != nil {
		t.Errorf("Exists = %v, %v, want false", found, err)
	}
	if err := c.Client().Set(t.Context(), "y", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if found, err := b.Exists(t.Context(), "x", "y", "z"); !found || err != nil {
		t.Errorf("Exists of a key = %v, %v, want true", found, err)
	}
}

func TestABatchAtAClusterStaysInOrder(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	o := fastAt(c.URL())
	o.CanaryTimeout = calm
	b, r := run(t, o)
	subscribe(t, b, "a")
	batch, err := NewBatch(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Close()
	const n = 1000
	for i := range n {
		if err := batch.Publish("a", []byte{byte(i >> 8), byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all messages", func() bool { return len(r.got("a")) == n })
	for i, got := range r.got("a") {
		if want := string([]byte{byte(i >> 8), byte(i)}); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
}

func TestALinkLeavesANodeOfAClusterThatWasKilled(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	b, r := run(t, fastAt(c.URL()))
	subscribe(t, b, "a")
	ready(t, b)
	old := at(t, b)
	node(t, c, old).Kill()
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	if got := at(t, b); got == old {
		t.Errorf("the link is at %s, which was killed", got)
	}
	for _, s := range c.Nodes() {
		if s.Addr() != old {
			backendSays(t, s.Client(), r, "a", "at "+s.Addr())
		}
	}
	publishSoon(t, b, r, "a", "by a client")
	ready(t, b) // canaries through the dead node fail, and others do not
}

// It answers nothing, and closes nothing.
func TestALinkLeavesANodeOfAClusterThatStopped(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	o := fastAt(c.URL())
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	old := node(t, c, at(t, b))
	old.Pause()
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	if got := count(t, reg, "roomgate_redis_reconnects_total", "canary"); got < 1 {
		t.Errorf("%v reconnects for canary, want 1", got)
	}
	publishSoon(t, b, r, "a", "by a client")
	old.Resume()
}

func TestALinkLeavesANodeOfAClusterThatBecameAReplica(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	o := fastAt(c.URL())
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	old := at(t, b)
	for _, s := range c.Nodes() {
		role, err := s.Client().Do(t.Context(), "ROLE").Slice()
		if err != nil {
			t.Fatal(err)
		}
		if role[0] != "slave" {
			continue
		}
		if _, port, _ := net.SplitHostPort(old); port != fmt.Sprint(role[2]) {
			continue
		}
		if err := s.Client().Do(t.Context(), "CLUSTER", "FAILOVER").Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "demoted", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "demoted") > 0 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	publishSoon(t, b, r, "a", "by a client")
	ready(t, b)
}

// watchAt watches a link to server whose connection leads to remote.
func watchAt(t *testing.T, o Options, addr, remote string) ending {
	t.Helper()
	o.Log, o.Metrics = nil, nil
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.closeClients()
	at(t, b) // learns the masters
	tcp, err := net.ResolveTCPAddr("tcp", remote)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, over := b.place.watch(ctx, watched{server: server{addr: addr}, remote: tcp, blame: b.only.health.blame, log: b.log})
	if !over {
		t.Fatalf("the link was not ended within %v", patience)
	}
	return e
}

func TestANodeThatIsCutOffFromItsClusterIsLeft(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	alone := redistest.Start(t, "--cluster-enabled", "yes") // it has nobody, and so its cluster_state is fail
	e := watchAt(t, fastAt(c.URL()), c.Nodes()[0].Addr(), alone.Addr())
	if want := "cannot reach enough of the Cluster"; e.reason != reasonDemoted || !strings.Contains(e.Error(), want) {
		t.Errorf("ended with %v: %v, want %v: %s", e.reason, e, reasonDemoted, want)
	}
}

func TestANodeThatOthersDoNotKnowIsLeft(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	stranger := redistest.Start(t)
	e := watchAt(t, fastAt(c.URL()), stranger.Addr(), stranger.Addr())
	if want := "is no master for"; e.reason != reasonDemoted || !strings.Contains(e.Error(), want) {
		t.Errorf("ended with %v: %v, want %v: %s", e.reason, e, reasonDemoted, want)
	}
}

func TestAServerThatIsNoClusterSaysIt(t *testing.T) {
	s := redistest.Start(t)
	_, err := Probe(t.Context(), fastAt("redis+cluster://"+s.Addr()))
	if err == nil || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("Probe = %v, want that it is no Cluster", err)
	}
}

func TestAUserOfAClusterNeedsTwoCommandsMore(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	for _, s := range c.Nodes() {
		restrict(t, s.Client(), append(recipe, "+cluster|slots", "+cluster|info")...)
	}
	o := fastAt(c.URL())
	o.Username, o.Password, o.CanaryTimeout = "gate", secret, calm
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	publishSoon(t, b, r, "a", "x")
	ready(t, b)
	trips := count(t, reg, "roomgate_redis_round_trip_seconds", "")
	eventually(t, "canaries, and looks between them", func() bool { return count(t, reg, "roomgate_redis_round_trip_seconds", "") > trips+5 })
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v, want none", got)
	}
}

// One of the addresses in the URL may be of a node that is cut off, or has become another Cluster's.
func TestANodeThatIsAloneWithItsViewChoosesNoMaster(t *testing.T) {
	t.Parallel()
	c, other := redistest.StartCluster(t, 3, 0), redistest.StartCluster(t, 1, 0)
	o := fastAt(c.URL() + "," + other.Nodes()[0].Addr())
	for range 40 { // which answers first is chance
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		got := at(t, b)
		b.closeClients()
		if got == other.Nodes()[0].Addr() {
			t.Fatalf("the link would go to %s, which three of four nodes do not know", got)
		}
	}
}
