package pubsub

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// dropPublished has a node of a Cluster throw away what the bus brings of PUBLISH, and nothing else; or, with drop
// false, take it again.
func dropPublished(t *testing.T, c *redis.Client, drop bool) {
	t.Helper()
	packets := -1 // none
	if drop {
		packets = 4 // CLUSTERMSG_TYPE_PUBLISH
	}
	if err := c.Do(t.Context(), "DEBUG", "DROP-CLUSTER-PACKET-FILTER", packets).Err(); err != nil {
		t.Fatal(err)
	}
}

// debuggable starts a Cluster of three masters whose bus can be broken.
func debuggable(t *testing.T) *redistest.Cluster {
	t.Helper()
	return redistest.StartCluster(t, 3, 0, "--enable-debug-command", "yes")
}

// The node answers, is a master for all, and says that the Cluster is well.
func TestALinkLeavesANodeToWhichTheBusIsBroken(t *testing.T) {
	c := debuggable(t)
	o := fastAt(c.URL())
	reg := secrecy.Registry(t)
	var text logged
	o.Metrics, o.Log = reg, newTextLog(t, &text)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	old := at(t, b)
	dropPublished(t, node(t, c, old).Client(), true)
	eventually(t, "an end for the bus", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "bus") > 0 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	if got := at(t, b); got == old {
		t.Errorf("the link is at %s, which hears no other", got)
	}
	if want := "does not come to " + old; !strings.Contains(text.String(), want) {
		t.Errorf("the log does not say %q:\n%s", want, text.String())
	}
	for _, s := range c.Nodes() {
		if s.Addr() != old {
			backendSays(t, s.Client(), r, "a", "at "+s.Addr())
		}
	}
	publishSoon(t, b, r, "a", "by a client")
	ready(t, b)
}

func TestABusBrokenEverywhereMakesUnreadyAndItsEndGivesAGap(t *testing.T) {
	c := debuggable(t)
	o := fastAt(c.URL())
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	for _, s := range c.Nodes() {
		dropPublished(t, s.Client(), true)
	}
	eventually(t, "why in Ready", func() bool {
		err := b.Ready()
		return err != nil && strings.Contains(err.Error(), "over the Cluster's bus, nor to other nodes")
	})
	gaps := r.gapsByRoom()["a"]
	for _, s := range c.Nodes() {
		dropPublished(t, s.Client(), false)
	}
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > gaps })
	ready(t, b)
	for _, s := range c.Nodes() {
		backendSays(t, s.Client(), r, "a", "at "+s.Addr())
	}
}

// newTestBus is that of a link at own, of which canaries go out when the test says so, and nowhere.
func newTestBus(t *testing.T, p *cluster, own string) *bus {
	t.Helper()
	log := secrecy.Log(t)
	return p.canaries(watched{server: server{addr: own}, blame: func(error) {}, log: log}).(*bus)
}

func testCluster(t *testing.T) *cluster {
	t.Helper()
	a, err := newAccess(Options{URL: "redis+cluster://a", CanaryInterval: 2 * time.Second, CanaryTimeout: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	p := newCluster(a)
	p.masters = []string{"a:1", "b:1", "c:1"}
	t.Cleanup(p.close)
	return p
}

// play sends a canary each two seconds, through whom the bus says. Those through missing do not come. It returns how
// the link ended, if it did, and after how many.
func (b *bus) play(missing string, ticks int) (end ending, n int) {
	now := b.began
	for n = range ticks {
		now = now.Add(2 * time.Second)
		via := b.order()[0]
		b.sent(via, now)
		if via == missing {
			continue
		}
		b.mu.Lock()
		v := b.judge(via, now, now.Add(time.Millisecond))
		b.mu.Unlock()
		if v.end.err != nil {
			return v.end, n
		}
	}
	return ending{}, ticks
}

func TestTwoCanariesOfAMasterThatDoNotComeEndTheLink(t *testing.T) {
	p := testCluster(t)
	end, n := newTestBus(t, p, "a:1").play("b:1", 20)
	if end.reason != reasonBus || !strings.Contains(end.Error(), "published at b:1 does not come to a:1") {
		t.Errorf("ended with %v, want that a does not hear b", end)
	}
	if n < 5 || n > 10 { // each is missed after 6 s
		t.Errorf("it took %d canaries", n)
	}
	if end, _ := newTestBus(t, p, "c:1").play("", 100); end.err != nil {
		t.Errorf("a link that hears all ended with %v", end)
	}
}

// What a master does not take is no sign of a broken bus.
func TestAMasterThatTakesNoCanaryEndsNoLink(t *testing.T) {
	b := newTestBus(t, testCluster(t), "a:1")
	now := b.began
	for range 100 {
		now = now.Add(2 * time.Second)
		for _, via := range b.order() {
			b.sent(via, now)
			if via == "b:1" {
				b.untaken(via)
				continue
			}
			b.mu.Lock()
			v := b.judge(via, now, now.Add(time.Millisecond))
			b.mu.Unlock()
			if v.end.err != nil {
				t.Fatalf("ended with %v", v.end)
			}
			break
		}
	}
}

func TestTheNextLinkDoesNotProveBeforeItHearsWhatTheLastMissed(t *testing.T) {
	p := testCluster(t)
	newTestBus(t, p, "a:1").play("b:1", 20)
	b := newTestBus(t, p, "c:1")
	if got := b.order()[0]; got != "b:1" {
		t.Errorf("the first canary goes through %s, want b", got)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if v := b.judge("a:1", b.began, b.began); v.proof || !v.alive {
		t.Errorf("a canary of another master: %+v, want alive and no proof", v)
	}
	if v := b.judge(viaSelf, b.began, b.began); v.proof || v.alive {
		t.Errorf("a canary through itself: %+v, want neither", v)
	}
	if v := b.judge("b:1", b.began, b.began); !v.proof {
		t.Errorf("a canary of b: %+v, want proof", v)
	}
}

func TestAMasterThatNoNodeHearsEndsNoMoreThanTwoLinks(t *testing.T) {
	p := testCluster(t)
	p.masters = append(p.masters, "d:1", "e:1", "f:1")
	ended := 0
	for _, own := range []string{"a:1", "c:1", "d:1"} {
		if end, _ := newTestBus(t, p, own).play("b:1", 50); end.err != nil {
			ended++
		}
	}
	if ended != deafTries-1 || len(p.deaf) != deafTries {
		t.Errorf("%d links ended and %d nodes are noted, want %d and %d", ended, len(p.deaf), deafTries-1, deafTries)
	}
}
