//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the gateway must not send ends a client's life as a breach, not as a broken connection.
func TestWireCallsABreachOfTheProtocolOne(t *testing.T) {
	for name, sent := range map[string][]byte{
		"masked":                       {0x81, 0x81, 0, 0, 0, 0, 'x'},
		"with RSV1":                    {0xC1, 1, 'x'},
		"a fragment":                   {0x01, 1, 'x'},
		"a continuation":               {0x80, 1, 'x'},
		"an unknown opcode":            {0x83, 1, 'x'},
		"a long ping":                  {0x89, 126, 0, 200},
		"a close frame of half a code": {0x88, 1, 3},
	} {
		c := wireOf(t, sent)
		if _, _, err := c.read(); !isViolation(err) {
			t.Errorf("%s: read gives %v, want a violation", name, err)
		}
	}
	if _, _, err := wireOf(t, []byte{0x81, 5, 'x'}).read(); err == nil || isViolation(err) {
		t.Errorf("a connection that breaks in a frame: read gives %v, want an error that is no violation", err)
	}
}

// The number below which all was taken by a time is that of the last answer before it.
func TestLedgerKnowsWhatWasTakenByATime(t *testing.T) {
	l, began := newLedger(1), time.Now()
	for n, after := range []time.Duration{0, time.Second, -1, 3 * time.Second} {
		l.allot(0)
		if after >= 0 {
			l.took(0, n, began.Add(after))
		}
	}
	for after, want := range map[time.Duration]int{-time.Second: 0, 0: 1, 2 * time.Second: 2, 3 * time.Second: 4} {
		if got := l.takenBy(0, began.Add(after)); got != want {
			t.Errorf("taken after %v: below %d, want %d", after, got, want)
		}
	}
}

// What came before the fault is not in the curve; each second has a line, and the longest bar is that of the steepest.
func TestCurveCountsWhoCameBackInEachSecond(t *testing.T) {
	var r returns
	began := time.Now()
	r.count(began)
	r.begin(began)
	for _, at := range []int{0, 999, 2000, 2001, 2002, 2999, 3000} {
		r.count(began.Add(time.Duration(at) * time.Millisecond))
	}
	c := r.curve()
	second, most := c.steepest()
	got := fmt.Sprint(second, most, c.total(), c.within(time.Second), c.within(2*time.Second), c.within(time.Minute))
	if want := "2 4 7 4 5 7"; got != want {
		t.Errorf("steepest second, how many, in all, within 1 s, 2 s and a minute: %s, want %s", got, want)
	}
	half, whole := strings.Repeat("█", curveWidth/2), strings.Repeat("█", curveWidth)
	want := fmt.Sprintf("   0 s     2 %s\n   1 s     0\n   2 s     4 %s\n   3 s     1 %s\n", half, whole, strings.Repeat("█", curveWidth/4))
	if c.String() != want {
		t.Errorf("the curve is\n%swant\n%s", c, want)
	}
}

// A metric that is not there is no 0, and a page that is not there no page.
func TestMetricThatIsAbsentFailsTheTest(t *testing.T) {
	for _, status := range []int{200, 503} {
		r, failed := replicaOf(t, status, "go_goroutines 12\nroomgate_x_total{reason=\"a\"} 1\nroomgate_x_total{reason=\"b\"} 2\n")
		if got := fmt.Sprint(r.metric("go_goroutines", ""), r.metric("roomgate_x_total", `reason="b"`), r.series("roomgate_x_total", "reason")); status == 200 && (got != "12 2 map[a:1 b:2]" || *failed) {
			t.Errorf("metrics are %s (failed: %t), want 12 2 map[a:1 b:2]", got, *failed)
		}
		if status == 200 {
			r.metric("roomgate_y_total", "")
		}
		if !*failed {
			t.Errorf("with status %d and no series the test goes on", status)
		}
	}
}

// Recovery has an end, of each kind.
func TestRecoveryThatTakesTooLongFails(t *testing.T) {
	s := &setup{within: 2 * time.Second, backIn: 5 * time.Second}
	for _, c := range []struct {
		v1, all float64
		ok      bool
	}{{1, 4, true}, {3, 4, false}, {1, 6, false}} {
		if err := s.recoversIn(c.v1, c.all); (err == nil) != c.ok {
			t.Errorf("recovered after %v s and %v s: %v", c.v1, c.all, err)
		}
	}
	if err := new(setup).recoversIn(0, (withinMost+backMost).Seconds()+1); err == nil {
		t.Error("there is no limit if a case sets none")
	}
}

// What a connection is owed at its end depends on whether Redis was well, and on who ended it.
func TestOnlyADrainOwesWhatIsQueued(t *testing.T) {
	w := &world{ledger: newLedger(1), well: true}
	now := time.Now()
	for n := range 3 {
		w.ledger.allot(0)
		w.ledger.took(0, n, now.Add(time.Duration(n-3)*queuedTime))
	}
	drained := ending{code: codeDraining, bye: now}
	for name, c := range map[string]struct {
		e    ending
		well bool
		want int
	}{
		"a drain":                        {drained, true, 3},
		"a drain, and Redis is broken":   {drained, false, 0},
		"a broken connection":            {ending{code: codeNone}, true, 0},
		"the client's own end":           {ending{code: codeDraining, bye: now, own: true}, true, 0},
		"a drain that is read at once":   {ending{code: codeDraining, bye: now.Add(-queuedTime / 2)}, true, 2},
		"a drain before anything is due": {ending{code: codeDraining, bye: now.Add(-4 * queuedTime)}, true, 0},
	} {
		w.well = c.well
		if got := w.owedAtEnd(0, c.e); got != c.want {
			t.Errorf("%s: owed is all below %d, want %d", name, got, c.want)
		}
	}
}

// A link that ended before the fault, or of a replica that came later, proves nothing.
func TestProofOfAFaultIsWhatCameSince(t *testing.T) {
	a, b := &replica{name: "a"}, &replica{name: "b"}
	before := counts{a: {linkClosed: 2, linkCanary: 1}}
	now := counts{a: {linkClosed: 2, linkCanary: 3}, b: {linkClosed: 1}}
	since := now.since(before)
	for _, c := range []struct {
		of      *replica
		reasons []string
		want    int
	}{{a, []string{linkClosed}, 0}, {a, []string{linkCanary}, 2}, {a, []string{linkClosed, linkCanary}, 2}, {b, []string{linkClosed}, 0}} {
		if got := since.of(c.of, c.reasons...); got != c.want {
			t.Errorf("%s lost %d links since, for %v, want %d", c.of.name, got, c.reasons, c.want)
		}
	}
	if len(since) != 1 {
		t.Errorf("%d replicas count, want only the one that ran before", len(since))
	}
}
