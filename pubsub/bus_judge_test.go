package pubsub

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// A played bus is that of a link whose canaries go out, and come, when the test says so.
type played struct {
	*bus
	t   *testing.T
	now time.Time
}

func play(t *testing.T, p *cluster, own string) *played {
	t.Helper()
	b := p.canaries(watched{server: server{addr: own}, blame: func(error) {}, log: secrecy.Log(t)}).(*bus)
	return &played{b, t, b.well}
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

// tick is when the next canary is due. It returns through whom first.
func (p *played) tick() (via string) {
	p.now = p.now.Add(p.p.access.o.canaryInterval())
	first, _ := p.order()
	return first[0]
}

// takes has via take a canary, and returns when that was sent.
func (p *played) takes(via string) time.Time {
	p.now = p.now.Add(time.Millisecond)
	p.sent(via, p.now)
	p.answered(via, p.now, nil)
	return p.now
}

// refuses has via not take one.
func (p *played) refuses(via string) {
	p.now = p.now.Add(time.Millisecond)
	p.sent(via, p.now)
	p.answered(via, p.now, errors.New("connection refused"))
}

// comes has one come, a millisecond after the last was sent.
func (p *played) comes(via string, sent time.Time) verdict {
	v, _ := p.judge(via, sent, p.now.Add(time.Millisecond))
	return v
}

// hears has via take one that comes at once.
func (p *played) hears(via string) verdict { return p.comes(via, p.takes(via)) }

// lose has ticks canaries go through whom the bus says, of which those through missing do not come. It returns how the
// link ended, if it did, and after how many.
func (p *played) lose(missing string, ticks int) (end ending, n int) {
	for n = range ticks {
		via := p.tick()
		sent := p.takes(via)
		if via == missing {
			continue
		}
		if v := p.comes(via, sent); v.end.err != nil {
			return v.end, n
		}
	}
	return ending{}, ticks
}

func (p *played) wantGap(v verdict, want string) {
	p.t.Helper()
	if v.gap == nil || !v.proof || v.end.err != nil || !strings.Contains(v.gap.Error(), want) {
		p.t.Errorf("the verdict is %+v, want a proof with a gap since %q", v, want)
	}
}

func (p *played) wantWell(v verdict) {
	p.t.Helper()
	if v.gap != nil || !v.proof || v.end.err != nil {
		p.t.Errorf("the verdict is %+v, want a proof and no more", v)
	}
}

func TestTwoCanariesOfAMasterThatDoNotComeEndTheLink(t *testing.T) {
	p := testCluster(t)
	end, n := play(t, p, "a:1").lose("b:1", 20)
	if end.reason != reasonBus || !strings.Contains(end.Error(), "published at b:1 does not come to a:1") {
		t.Errorf("ended with %v, want that a does not hear b", end)
	}
	if n < 3 || n > 7 { // each is missed after 6 s
		t.Errorf("it took %d canaries", n)
	}
	if end, _ := play(t, p, "c:1").lose("", 100); end.err != nil {
		t.Errorf("a link that hears all ended with %v", end)
	}
}

func TestALostCanaryThatALaterOneOvertakesGivesAGapAtOnce(t *testing.T) {
	p := play(t, testCluster(t), "a:1")
	p.tick()
	first := p.takes("b:1")
	p.wantWell(p.hears("c:1"))
	p.tick()
	p.takes("b:1")
	p.wantWell(p.hears("c:1"))
	p.tick()
	p.wantGap(p.hears("b:1"), "a later one did")
	p.wantWell(p.comes("b:1", first)) // of a connection that was given up
	p.tick()
	p.wantWell(p.hears("b:1"))
}

// One that is heard of again before its second canary is missed.
func TestAMissedCanaryIsOwedAGapUntilItsMasterIsHeard(t *testing.T) {
	p := play(t, testCluster(t), "a:1")
	_, _ = p.lose("b:1", 5) // the first is missed by now
	if v := p.hears("c:1"); v.proof || v.gap != nil || v.end.err != nil {
		t.Errorf("while b is in doubt, the verdict is %+v, want no proof", v)
	}
	p.wantGap(p.hears("b:1"), "did not come")
	p.wantWell(p.hears("c:1"))
}

// The link had to stay though it did not hear b. Then b is restarted, and refuses a canary.
func TestARefusedCanaryForgetsNoGap(t *testing.T) {
	p := deafAtLast(t)
	p.tick()
	p.refuses("b:1")
	p.wantGap(p.hears("c:1"), "did not come") // b publishes nothing now
	p.wantWell(p.hears("c:1"))
	p.tick()
	p.wantGap(p.hears("b:1"), "") // until now it may have
	p.wantWell(p.hears("c:1"))
}

// The timer fires while a canary is on its way to a master that will not take it.
func TestACanaryThatIsBeingSentIsNotMissedBySilence(t *testing.T) {
	p := play(t, testCluster(t), "a:1")
	for range 3 {
		p.tick()
		p.refuses("b:1")
		p.refuses("c:1")
	}
	p.sent("b:1", p.now)
	p.self = p.now
	if e, _ := p.judgeSilence(p.now.Add(time.Millisecond)); e.err != nil {
		t.Errorf("the link ends with %v: %v, want that it stays", e.reason, e.err)
	}
	p.answered("b:1", p.now, nil)
	p.self = p.now.Add(6 * time.Second)
	if e, _ := p.judgeSilence(p.self); e.reason != reasonBus {
		t.Errorf("the link ends with %v: %v, want %s: b took one that did not come", e.reason, e.err, reasonBus)
	}
}

// The link has to stay, and the master is gone before it is heard.
func TestACanaryThatASilenceShowsToBeMissedIsOwedAGap(t *testing.T) {
	c := testCluster(t)
	c.masters = append(c.masters, "d:1")
	c.deafAt("c:1", "b:1")
	c.deafAt("d:1", "b:1")
	p := play(t, c, "a:1")
	p.wantWell(p.hears("b:1"))
	p.takes("b:1")
	for range 3 {
		p.tick()
		p.refuses("c:1")
		p.refuses("d:1")
	}
	p.self = p.now
	if e, stays := p.judgeSilence(p.now); e.err != nil || stays == nil {
		t.Fatalf("the link ends with %v: %v, want that it stays, deaf", e.reason, e.err)
	}
	p.refuses("b:1")
	p.wantGap(p.hears("c:1"), "b:1 took did not come")
	p.wantWell(p.hears("d:1"))
}

// What a master does not take is no sign of a broken bus, nor of a sound one.
func TestCanariesThatTimeOutDoNotHideABrokenBus(t *testing.T) {
	p := play(t, testCluster(t), "a:1")
	for n := range 12 {
		p.tick()
		if n%5 == 0 {
			p.takes("b:1")
		} else {
			p.refuses("b:1")
		}
		if v := p.hears("c:1"); v.end.err != nil {
			return
		}
	}
	t.Error("the link did not end")
}

func TestAMasterThatTakesNoCanaryEndsNoLink(t *testing.T) {
	p := play(t, testCluster(t), "a:1")
	asked := 0
	for range 100 {
		p.now = p.now.Add(2 * time.Second)
		first, late := p.order()
		if first[0] == "b:1" || late == "b:1" {
			p.refuses("b:1")
			asked++
		}
		if asked > 1 && !slices.Equal(first, []string{"c:1"}) {
			t.Fatalf("a canary is tried through %v, want c alone: b may keep it", first)
		}
		p.wantWell(p.hears("c:1"))
	}
	if asked != 50 {
		t.Errorf("b was asked %d times of 100, want each second", asked)
	}
}

func TestAMasterThatIsReplacedBeforeItIsHeardLeavesAGap(t *testing.T) {
	c := testCluster(t)
	p := play(t, c, "a:1")
	_, _ = p.lose("b:1", 4)
	c.masters = []string{"a:1", "c:1", "d:1"}
	p.tick()
	p.wantGap(p.hears("c:1"), "b:1 has come to a:1, and it is no master any more")
	p.wantWell(p.hears("d:1"))

	c.masters = []string{"a:1", "c:1"}
	p.tick()
	p.wantWell(p.hears("c:1"))
}

// deafAtLast is a bus of a link that stays, as those at two other nodes did not hear b either.
func deafAtLast(t *testing.T) *played {
	t.Helper()
	c := testCluster(t)
	c.masters = append(c.masters, "d:1")
	for _, own := range []string{"c:1", "d:1"} {
		if end, _ := play(t, c, own).lose("b:1", 50); end.reason != reasonBus {
			t.Fatalf("the link at %s ended with %v, want the bus", own, end)
		}
	}
	c.masters = []string{"a:1", "b:1", "c:1", "d:1"}
	p := play(t, c, "a:1")
	if end, _ := p.lose("b:1", 50); end.err != nil {
		t.Fatalf("the third link ended with %v", end)
	}
	p.tick()
	p.takes("b:1")
	if v := p.hears("c:1"); v.proof {
		t.Errorf("the verdict of a deaf link is %+v, want no proof", v)
	}
	return p
}

func TestALinkThatHearsAgainStaysAndItsNodeIsDeafNoMore(t *testing.T) {
	p := deafAtLast(t)
	late := p.takes("b:1")
	p.now = p.now.Add(10 * time.Second)
	if v := p.comes("b:1", late); v.proof || v.gap != nil {
		t.Errorf("a canary that came after 10 s: %+v, want no proof", v)
	}
	if len(p.p.hearing([]string{p.own})) > 0 {
		t.Error("a canary that came after 10 s: its node is not deaf any more")
	}
	p.wantGap(p.hears("b:1"), "")
	if len(p.p.hearing([]string{p.own})) == 0 {
		t.Errorf("%s hears, and is taken for deaf: %v", p.own, p.p.deaf)
	}
}

func TestALinkThatIsWellForLongForgetsDeafNodes(t *testing.T) {
	p := deafAtLast(t)
	p.wantGap(p.hears("b:1"), "")
	ticks := 0
	for ; len(p.p.deafNow()) > 0 && ticks < 100; ticks++ {
		p.wantWell(p.hears(p.tick()))
	}
	if least := int(p.patience() / p.p.access.o.canaryInterval()); ticks < least || ticks > least+2 {
		t.Errorf("they are forgotten after %d canaries, want %d", ticks, least)
	}
}

func TestTheNextLinkDoesNotProveBeforeItHearsWhatTheLastMissed(t *testing.T) {
	c := testCluster(t)
	c.masters = []string{"b:1", "a:1", "c:1"} // so that it would be a's turn
	_, _ = play(t, c, "a:1").lose("b:1", 20)
	p := play(t, c, "c:1")
	if got := p.tick(); got != "b:1" {
		t.Errorf("the first canary goes through %s, want b", got)
	}
	if v := p.hears("a:1"); v.proof || !v.alive {
		t.Errorf("a canary of another master: %+v, want alive and no proof", v)
	}
	if v := p.comes(viaSelf, p.now); v.proof || v.alive {
		t.Errorf("a canary through itself: %+v, want neither", v)
	}
	p.wantWell(p.hears("b:1")) // the rooms had their gap when they were subscribed

	p = play(t, c, "c:1")
	p.tick()
	p.refuses("b:1")
	p.wantWell(p.hears("a:1"))
	p.wantGap(p.hears("b:1"), "again") // what it published until now is not proven
}

func TestADeafNodeIsForgottenWithTheMasterItDidNotHear(t *testing.T) {
	p := testCluster(t)
	p.deafAt("a:1", "b:1")
	p.deafAt("c:1", "a:1")
	p.learn(&slotTable{masters: []string{"a:1", "c:1", "d:1"}})
	if got := p.deafNow(); !slices.Equal(got, []deafness{{"c:1", "a:1"}}) {
		t.Errorf("deaf are %v, want c alone: b is no master any more", got)
	}
}

func TestAMasterThatNoNodeHearsEndsNoMoreThanTwoLinks(t *testing.T) {
	p := testCluster(t)
	p.masters = append(p.masters, "d:1", "e:1", "f:1")
	ended := 0
	for _, own := range []string{"a:1", "c:1", "d:1"} {
		if end, _ := play(t, p, own).lose("b:1", 50); end.err != nil {
			ended++
		}
	}
	if ended != deafTries-1 || len(p.deaf) != deafTries {
		t.Errorf("%d links ended and %d nodes are noted, want %d and %d", ended, len(p.deaf), deafTries-1, deafTries)
	}
}

// Only its own way out is broken, so that a link there hears all.
func TestAMasterThatIsNotHeardIsTheNextToBeTried(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	a, err := newAccess(fastAt(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // else it would be chance
		p := newCluster(a)
		s, err := p.pick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		missing := without(p.masters, s.addr)[0]
		p.deafAt(s.addr, missing)
		p.failed(s)
		next, err := p.pick(t.Context())
		if err != nil || next.addr != missing {
			t.Errorf("after %s did not hear %s comes %v, %v", s.addr, missing, next, err)
		}
		p.deafAt(missing, s.addr)
		p.failed(next)
		if last, err := p.pick(t.Context()); err != nil || last == s || last == next {
			t.Errorf("after both were deaf comes %v, %v, want the third", last, err)
		}
		p.close()
	}
}

// The name of a master means another server by now, and the old one lives on, of which no node knows.
func TestAMasterInDoubtIsAskedOverANewConnection(t *testing.T) {
	before, after := redistest.Start(t), redistest.Start(t)
	f := forward(t, before.Addr())
	c := testCluster(t)
	name := f.Addr().String()
	c.masters = []string{"a:1", name}
	p := play(t, c, "a:1")
	publish := func() {
		t.Helper()
		p.tick()
		if err := p.publish(t.Context(), "canary", "", p.now); err != nil {
			t.Fatal(err)
		}
	}
	publish()
	to := after.Addr()
	f.to.Store(&to)
	heard := after.Client().Subscribe(t.Context(), "canary")
	defer heard.Close()
	if _, err := heard.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.now = p.now.Add(2 * time.Second)
		p.comes(viaSelf, p.now)
	}
	if !p.ways[name].inDoubt() {
		t.Fatal("the master is not in doubt")
	}
	publish()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := heard.ReceiveMessage(ctx); err != nil {
		t.Errorf("the second canary did not go where the name leads: %v", err)
	}
	p.wantGap(p.comes(name, p.now), "did not come")
}

// It is cut off, and so is likely to be the one that others do not hear.
func TestANodeThatWasLeftSinceItIsCutOffIsDeaf(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	alone := redistest.Start(t, "--cluster-enabled", "yes")
	a, err := newAccess(fastAt(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	p := newCluster(a)
	defer p.close()
	if _, err := p.pick(t.Context()); err != nil {
		t.Fatal(err)
	}
	remote, err := net.ResolveTCPAddr("tcp", alone.Addr())
	if err != nil {
		t.Fatal(err)
	}
	w := watched{server: server{addr: p.masters[0]}, remote: remote, blame: func(error) {}, log: secrecy.Log(t)}
	if e, _ := p.watch(t.Context(), w); e.reason != reasonDemoted {
		t.Fatalf("ended with %v: %v, want %v", e.reason, e.err, reasonDemoted)
	}
	if got := p.hearing(p.masters); slices.Contains(got, w.server.addr) {
		t.Errorf("a link may go to %v, want not to %s", got, w.server.addr)
	}
}
