//go:build linux

package chaos

import (
	"testing"
	"time"
)

// A trace is what happens to a track, as a client would have it happen. Its clock stands still until
// it is told to go on.
type trace struct {
	*track
	now time.Time
}

func (s *trace) messages(numbers ...int) {
	for _, n := range numbers {
		s.message(n, s.now)
	}
}

func (s *trace) end(code int)          { s.ended(code, 0, s.now) }
func (s *trace) later(d time.Duration) { s.now = s.now.Add(d) }

const (
	v1  = false
	raw = true
)

// The judge itself: it finds each kind of fault, and calls nothing else one.
func TestJudgeTellsLossThatIsAnnouncedFromLossThatIsNot(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  bool
		see  func(s *trace) // of ten messages, 0 to 9, of which Redis did not take 4
		want verdict
	}{
		{"all came", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 5, 6, 7, 8, 9) }, verdict{Delivered: 9}},
		{"one that Redis did not take came", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) }, verdict{Delivered: 10}},
		{"a hole", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 5, 6, 7, 8, 9) }, verdict{Delivered: 7, Silent: 2}},
		{"the end is missing", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 5, 6, 7) }, verdict{Delivered: 7, Silent: 2}},
		{"a gap in the hole", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.gap(6)
			s.messages(6, 7, 8, 9)
		}, verdict{Delivered: 6, ByGap: 3}},
		{"a gap before the hole", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.gap(2)
			s.messages(6, 7, 8, 9)
		}, verdict{Delivered: 6, Silent: 3}},
		{"a gap behind the hole", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1, 6)
			s.gap(7)
			s.messages(7, 8, 9)
		}, verdict{Delivered: 6, Silent: 3}},
		{"a gap is read late, and a hole is behind the first message after it", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.gap(9)
			s.messages(3, 7, 8, 9)
		}, verdict{Delivered: 6, ByGap: 1, Silent: 2}},
		{"a gap is read late, and the first after it is none that Redis answered to have", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.gap(9)
			s.messages(4, 7, 8, 9)
		}, verdict{Delivered: 6, ByGap: 4}},
		{"two gaps, and a hole before the second", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.gap(9)
			s.messages(3)
			s.gap(9)
			s.messages(7, 8, 9)
		}, verdict{Delivered: 6, ByGap: 3}},
		{"published before it joined", v1, func(s *trace) { s.joined(6); s.messages(6, 7, 8, 9) }, verdict{Delivered: 4}},
		{"the first after it joined", v1, func(s *trace) { s.joined(6); s.messages(7, 8, 9) }, verdict{Delivered: 3, Silent: 1}},
		{"hello is read late, and a hole is behind the first message after it", v1, func(s *trace) {
			s.joined(8)
			s.messages(2, 6, 7, 8, 9)
		}, verdict{Delivered: 5, Silent: 2}},
		{"a reconnect", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.end(codeDraining)
			s.joined(6)
			s.messages(5, 6, 7, 8, 9)
		}, verdict{Delivered: 7, ByReconnect: 2}},
		{"lost after a reconnect", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.end(codeDraining)
			s.joined(6)
			s.messages(7, 8, 9)
		}, verdict{Delivered: 5, ByReconnect: 3, Silent: 1}},
		{"a reconnect, and a hole behind the first message after it", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.end(codeDraining)
			s.joined(9)
			s.messages(3, 7, 8, 9)
		}, verdict{Delivered: 6, ByReconnect: 1, Silent: 2}},
		{"another replica is behind", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1, 2, 3, 5)
			s.end(codeDraining)
			s.joined(6)
			s.messages(3, 5, 6, 7, 8, 9)
		}, verdict{Delivered: 9}},
		{"lost before a connection ended", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 2)
			s.end(codeDraining)
			s.joined(3)
			s.messages(3, 5, 6, 7, 8, 9)
		}, verdict{Delivered: 8, Silent: 1}},
		{"drained without what was queued", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.ended(codeDraining, 4, s.now)
			s.joined(6)
			s.messages(6, 7, 8, 9)
		}, verdict{Delivered: 6, Silent: 2, ByReconnect: 1}},
		{"raw: drained without what was queued", raw, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.ended(codeDraining, 4, s.now)
			s.joined(6)
			s.messages(6, 7, 8, 9)
		}, verdict{Delivered: 6, Silent: 2, ByReconnect: 1}},
		{"twice", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 1, 2, 3, 5, 6, 7, 8, 9) }, verdict{Delivered: 9, Duplicates: 1}},
		{"twice, and not at once", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 1, 5, 6, 7, 8, 9) }, verdict{Delivered: 9, Duplicates: 1}},
		{"twice, and not taken", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9) }, verdict{Delivered: 10, Duplicates: 1}},
		{"twice, late, and not taken", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 5, 4, 6, 4, 7, 8, 9) }, verdict{Delivered: 9, Duplicates: 1}},
		{"once on each of two connections", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1, 2, 3, 4)
			s.end(codeDraining)
			s.joined(5)
			s.messages(3, 4, 5, 6, 7, 8, 9)
		}, verdict{Delivered: 10}},
		{"not taken, and late", v1, func(s *trace) { s.joined(0); s.messages(0, 1, 2, 3, 5, 4, 6, 7, 8, 9) }, verdict{Delivered: 9}},
		{"out of order", v1, func(s *trace) { s.joined(0); s.messages(0, 2, 1, 3, 5, 6, 7, 8, 9) }, verdict{Delivered: 8, Disorder: 1}},
		{"out of order after a gap", v1, func(s *trace) { s.joined(0); s.messages(0); s.gap(3); s.messages(2, 1, 3, 5, 6, 7, 8, 9) }, verdict{Delivered: 8, Disorder: 1}},
		{"left, and back", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.left()
			s.gone()
			s.joined(6)
			s.messages(6, 7, 8, 9)
		}, verdict{Delivered: 6}},
		{"a hole while it leaves", v1, func(s *trace) {
			s.joined(0)
			s.messages(0, 1)
			s.left()
			s.messages(5)
			s.gone()
			s.joined(6)
			s.messages(6, 7, 8, 9)
		}, verdict{Delivered: 7, Silent: 2}},
		{"back, and then a reconnect", v1, func(s *trace) {
			s.joined(0)
			s.messages(0)
			s.left()
			s.gone()
			s.joined(2)
			s.messages(2, 3)
			s.end(codeDraining)
			s.joined(7)
			s.messages(7, 8, 9)
		}, verdict{Delivered: 6, ByReconnect: 2}},
		{"raw: a hole, and 4205", raw, func(s *trace) {
			s.joined(0)
			s.messages(0, 1, 5, 6)
			s.later(time.Second)
			s.messages(7)
			s.end(codeGap)
			s.joined(8)
			s.messages(8, 9)
		}, verdict{Delivered: 7, ByGap: 2}},
		{"raw: a hole, and no end", raw, func(s *trace) { s.joined(0); s.messages(0, 1, 5, 6, 7, 8, 9) }, verdict{Delivered: 7, Silent: 2}},
		{"raw: a hole, and 4205 long after it", raw, func(s *trace) {
			s.joined(0)
			s.messages(0, 1, 5, 6)
			s.later(announceTime + time.Second)
			s.end(codeGap)
			s.joined(7)
			s.messages(7, 8, 9)
		}, verdict{Delivered: 7, Silent: 2}},
		{"raw: a hole, and another end", raw, func(s *trace) {
			s.joined(0)
			s.messages(0, 1, 5, 6)
			s.end(codeDraining)
			s.joined(7)
			s.messages(7, 8, 9)
		}, verdict{Delivered: 7, Silent: 2}},
	} {
		l := newLedger(1)
		for range 10 {
			if n := l.allot(0); n != 4 {
				l.took(0, n, time.Now())
			}
		}
		s := &trace{newTrack(0, c.raw), time.Now()}
		c.see(s)
		if got := s.judge(l); got != c.want {
			t.Errorf("%s: judged %+v, want %+v", c.name, got, c.want)
		}
	}
}

// What clients are told has to be explained by the fault, too: gaps are not free.
func TestJudgeWantsAReasonForEachNotice(t *testing.T) {
	began := time.Now()
	w := &warrant{from: began, to: began.Add(time.Minute), gaps: 2, mayEnd: []int{codeGap, codeRedis}}
	during, before, after := began.Add(time.Second), began.Add(-time.Second), began.Add(2*time.Minute)
	gap := notice{at: during, gap: "redis", room: 1}
	for _, c := range []struct {
		name string
		all  []notice
		want int // that are not explained
	}{
		{"nothing", nil, 0},
		{"as many gaps as the fault explains", []notice{gap, gap}, 0},
		{"as many in each of two rooms", []notice{gap, gap, {at: during, gap: "redis", room: 2}}, 0},
		{"a gap more", []notice{gap, gap, gap}, 1},
		{"a gap before the fault", []notice{{at: before, gap: "redis"}}, 1},
		{"a gap after the recovery", []notice{{at: after, gap: "redis"}}, 1},
		{"a gap for overload", []notice{{at: during, gap: "overload"}}, 1},
		{"a gap for no reason", []notice{{at: during, gap: "trimmed"}}, 1},
		{"raw: as many ends as the fault explains", []notice{{at: during, code: codeGap, raw: true}, {at: during, code: codeGap, raw: true}}, 0},
		{"raw: an end more", []notice{{at: during, code: codeGap, raw: true}, {at: during, code: codeGap, raw: true}, {at: during, code: codeGap, raw: true}}, 1},
		{"raw: an end after the recovery", []notice{{at: after, code: codeGap, raw: true}}, 1},
		{"an end with 4205", []notice{{at: during, code: codeGap}}, 1},
		{"an end that the case does not name", []notice{{at: during, code: codeDraining}}, 1},
		{"a broken connection", []notice{{at: during, code: codeNone}}, 1},
		{"Redis unavailable, to one that connects", []notice{{at: during, code: codeRedis}}, 0},
		{"Redis unavailable, to one that is in its rooms", []notice{{at: during, code: codeRedis, joined: true}}, 1},
		{"Redis unavailable, after the recovery", []notice{{at: after, code: codeRedis}}, 1},
	} {
		if got := w.unexplained(c.all); len(got) != c.want {
			t.Errorf("%s: not explained are %q, want %d of them", c.name, got, c.want)
		}
	}
	if got := (&warrant{from: began, to: began.Add(time.Minute)}).unexplained([]notice{gap}); len(got) != 1 {
		t.Errorf("a gap where Redis is well: not explained are %q, want 1", got)
	}
}
