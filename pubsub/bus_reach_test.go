package pubsub

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// others are the nodes of c but the one at addr.
func others(c *redistest.Cluster, addr string) []*redistest.Server {
	return slices.DeleteFunc(slices.Clone(c.Nodes()), func(s *redistest.Server) bool { return s.Addr() == addr })
}

// They swallow what is sent to them, so that a canary through one may take all the time until the next.
func TestMastersThatHangCostNoLinkWhileOneTakesCanaries(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 5, 0, "--cluster-node-timeout", "60000")
	o := fastAt(c.URL())
	o.CanaryInterval, o.CanaryTimeout = 400*time.Millisecond, 1200*time.Millisecond // as many as by default
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	for _, s := range others(c, at(t, b))[:3] {
		s.Pause()
		defer s.Resume()
	}
	trips := count(t, reg, "roomgate_redis_round_trip_seconds", "")
	eventually(t, "canaries of five canary timeouts", func() bool {
		return count(t, reg, "roomgate_redis_round_trip_seconds", "") > trips+15
	})
	if err := b.Ready(); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v, want none", got)
	}
	for _, reason := range reasons {
		if n := count(t, reg, "roomgate_redis_reconnects_total", string(reason)); n != 0 {
			t.Errorf("%v links ended for %s, want none", n, reason)
		}
	}
}

// All were asked equally often, so that each is due for a new connection when its neighbour is. Each would take all the
// time until the next canary.
func TestMastersThatHangWhenTheirConnectionsAreDueCostOneCanary(t *testing.T) {
	t.Parallel()
	a, err := newAccess(Options{URL: "redis+cluster://a", CanaryInterval: 1500 * time.Millisecond, CanaryTimeout: 4500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	p := newCluster(a)
	defer p.close()
	p.masters = []string{redistest.Start(t).Addr()}
	b := p.canaries(watched{server: server{addr: "own:1"}}).(*bus)
	for range canaryTries - 1 {
		hangs, err := net.Listen("tcp", "127.0.0.1:0") // and nobody accepts
		if err != nil {
			t.Fatal(err)
		}
		defer hangs.Close()
		p.masters = append(p.masters, hangs.Addr().String())
		b.ways[hangs.Addr().String()] = &way{carried: renewAfter}
	}
	for n := range 2 {
		err = within(t.Context(), a.o.canaryInterval(), func(ctx context.Context) error { return b.publish(ctx, "canary", "", time.Now()) })
		t.Logf("canary %d: %v", n, err)
	}
	if err != nil {
		t.Errorf("the second canary was not taken: %v", err)
	}
}

// Redis answers, so that the link is not silent.
func TestCanariesThatAllOthersRefuseForLongAreOwedAGap(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := testCluster(t)
	c.masters = []string{"a:1", s.Addr()}
	p := play(t, c, "a:1")
	publish := func() error {
		p.now = p.now.Add(p.p.access.o.canaryInterval())
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return p.publish(ctx, "canary", "", p.now)
	}
	mayPublish := func(rule string) {
		t.Helper()
		if err := s.Client().Do(t.Context(), "ACL", "SETUSER", "default", rule).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, long := range []bool{false, true} {
		mayPublish("-publish")
		for n := range 4 {
			if err := publish(); !isReply(err) {
				t.Fatalf("a canary that may not be published: %v, want a refusal", err)
			}
			if n == 1 && !long {
				break
			}
		}
		mayPublish("+publish")
		if err := publish(); err != nil {
			t.Fatal(err)
		}
		if v := p.comes(s.Addr(), p.now); long {
			p.wantGap(v, "no other master took a canary")
		} else {
			p.wantWell(v)
		}
	}
}

func TestAMasterThatHungIsAskedAgain(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0, "--cluster-node-timeout", "60000")
	a, err := newAccess(busAt(c))
	if err != nil {
		t.Fatal(err)
	}
	p := newCluster(a)
	defer p.close()
	own, err := p.pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := p.canaries(watched{server: own}).(*bus)
	hung := others(c, own.addr)[0]
	refused := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), a.o.canaryInterval())
		defer cancel()
		_ = b.publish(ctx, "canary", "", time.Now()) // that it hangs, and then does not, is what is looked for
		w := b.ways[hung.Addr()]
		return w != nil && w.refused
	}
	hung.Pause()
	eventually(t, "that it takes none", refused)
	hung.Resume()
	eventually(t, "that it takes one", func() bool { return !refused() })
}

// No other is to be had, so that each link would end as the last did, and cost every room a gap.
func TestALinkWhoseNodeAloneCanBeReachedStaysUnready(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	o := busAt(c)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	own := at(t, b)
	for _, s := range others(c, own) {
		s.Kill()
	}
	eventually(t, "errors of three canary timeouts", func() bool { return count(t, reg, "roomgate_redis_canary_errors_total", "") > 15 })
	if n := count(t, reg, "roomgate_redis_reconnects_total", "canary"); n != 0 {
		t.Errorf("%v links ended for silence, want none", n)
	}
	if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "publishing to "+canaryPrefix) {
		t.Errorf("Ready() = %v, want that canaries cannot be published", err)
	}
	backendSays(t, node(t, c, own).Client(), r, "a", "at "+own)
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v while nothing can be proven, want none", got)
	}
	for _, s := range others(c, own) {
		s.Restart()
	}
	ready(t, b)
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] == 1 })
	for _, s := range c.Nodes() {
		backendSays(t, s.Client(), r, "a", "at "+s.Addr())
	}
}

// The link's node was taken out of its Cluster, whose other nodes all have new addresses.
func TestALinkWhoseNodeAloneCanBeReachedFindsTheClusterElsewhere(t *testing.T) {
	t.Parallel()
	before, after := redistest.StartCluster(t, 3, 0), redistest.StartCluster(t, 3, 0)
	o := busAt(before)
	o.URL = after.URL()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.closeClients()
	p := b.place.(*cluster)
	own := before.Nodes()[0].Addr()
	for _, s := range before.Nodes() {
		p.masters = append(p.masters, s.Addr())
	}
	for _, s := range others(before, own) {
		s.Kill()
	}
	bus := p.canaries(watched{server: server{addr: own}})
	eventually(t, "a canary at the Cluster in the URL", func() bool { return bus.publish(t.Context(), "canary", "", time.Now()) == nil })
}

// All names of a Cluster come to mean another, and the old one lives on: what is connected there stays.
func TestAClusterWhoseAddressesMovedIsFollowed(t *testing.T) {
	t.Parallel()
	before, after := redistest.StartCluster(t, 3, 0), redistest.StartCluster(t, 3, 0)
	var names []string
	var moves []func()
	for i, s := range before.Nodes() {
		f, to := forward(t, s.Addr()), after.Nodes()[i].Addr()
		f.announce(t, s)
		f.announce(t, after.Nodes()[i])
		names = append(names, f.Addr().String())
		moves = append(moves, func() { f.to.Store(&to) })
	}
	for _, s := range slices.Concat(before.Nodes(), after.Nodes()) {
		eventually(t, "an address that all know", func() bool {
			ranges, err := s.Client().ClusterSlots(t.Context()).Result() //nolint:staticcheck // as the survey does
			return err == nil && !slices.ContainsFunc(names, func(name string) bool {
				return !slices.Contains(newSlotTable(s.Addr(), ranges).masters, name)
			})
		})
	}
	o := busAt(before)
	o.URL = "redis+cluster://" + strings.Join(names, ",")
	o.CanaryInterval = 200 * time.Millisecond
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	for _, move := range moves {
		move()
	}
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	for _, s := range after.Nodes() {
		sayUntilHeard(t, r, "a", "at "+s.Addr(), func() error { return s.Client().Publish(t.Context(), prefix+"a", "at "+s.Addr()).Err() })
	}
	publishSoon(t, b, r, "a", "by a client")
	ready(t, b)
}

// The password was changed: what is connected goes on, and the log says what the next connection would meet.
func TestCanariesOfAClusterGoOnWhenNoNewConnectionCanBeHad(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	restrictAll := func(rules ...any) {
		t.Helper()
		for _, s := range c.Nodes() {
			restrict(t, s.Client(), rules...)
		}
	}
	restrictAll(append(recipe, "+cluster|slots", "+cluster|info")...)
	o := busAt(c)
	o.Username, o.Password, o.CanaryTimeout = "gate", secret, calm
	reg := secrecy.Registry(t)
	var text logged
	o.Metrics, o.Log = reg, newTextLog(t, &text)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	secrecy.Secret("another-passw0rd")
	for _, s := range c.Nodes() {
		if err := s.Client().Do(t.Context(), "ACL", "SETUSER", "gate", "resetpass", ">another-passw0rd").Err(); err != nil {
			t.Fatal(err)
		}
	}
	wantCanariesOverOldConnections(t, b, r, reg, &text)
}

// What the link's node says of itself cannot be asked. Most nodes still say which masters there are.
func TestWithoutClusterInfoMastersAreFollowedAndTheLogSaysWhatToAllow(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	for _, s := range c.Nodes() {
		restrict(t, s.Client(), append(recipe, "+cluster|slots")...)
	}
	o := busAt(c)
	o.Username, o.Password = "gate", secret
	var text logged
	o.Log = newTextLog(t, &text)
	if found, err := Probe(t.Context(), o); err != nil || !strings.Contains(found, "+cluster|info") {
		t.Errorf("Probe = %q, %v, want what to allow", found, err)
	}
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	eventually(t, "what to allow", func() bool { return strings.Contains(text.String(), "+cluster|info") })
	p, own := b.place.(*cluster), at(t, b)
	dead := slices.DeleteFunc(slices.Clone(p.mastersNow()), func(addr string) bool { return addr == own })[0]
	node(t, c, dead).Kill()
	eventually(t, "who took over", func() bool {
		now := p.mastersNow()
		return len(now) == 3 && !slices.Contains(now, dead)
	})
	if got := r.gapsByRoom(); len(got) != 0 || at(t, b) != own {
		t.Errorf("gaps %v, and the link is at %s, want none at %s", got, at(t, b), own)
	}
}

func (p *cluster) mastersNow() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.masters
}
