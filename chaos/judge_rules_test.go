//go:build linux

package chaos

import "testing"

// The judge itself: it finds each kind of fault, and calls nothing else one.
func TestJudgeTellsLossThatIsAnnouncedFromLossThatIsNot(t *testing.T) {
	for _, c := range []struct {
		name string
		raw  bool
		see  func(k *track) // of ten messages, 0 to 9, of which Redis did not take 4
		want verdict
	}{
		{"all came", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 2, 3, 5, 6, 7, 8, 9) }, verdict{delivered: 9}},
		{"one that Redis did not take came", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) }, verdict{delivered: 10}},
		{"a hole", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 5, 6, 7, 8, 9) }, verdict{delivered: 7, silent: 2}},
		{"the end is missing", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 2, 3, 5, 6, 7) }, verdict{delivered: 7, silent: 2}},
		{"a gap in the hole", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1)
			k.gap(6)
			messages(k, 6, 7, 8, 9)
		}, verdict{delivered: 6, byGap: 3}},
		{"a gap before the hole", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1)
			k.gap(2)
			messages(k, 6, 7, 8, 9)
		}, verdict{delivered: 6, silent: 3}},
		{"a gap behind the hole", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1, 6)
			k.gap(7)
			messages(k, 7, 8, 9)
		}, verdict{delivered: 6, silent: 3}},
		{"published before it joined", false, func(k *track) { k.joined(6, notOwed); messages(k, 5, 6, 7, 8, 9) }, verdict{delivered: 4}},
		{"the first after it joined", false, func(k *track) { k.joined(6, notOwed); messages(k, 7, 8, 9) }, verdict{delivered: 3, silent: 1}},
		{"a reconnect", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1)
			k.ended(codeDraining)
			k.joined(6, byReconnect)
			messages(k, 5, 6, 7, 8, 9)
		}, verdict{delivered: 7, byReconnect: 2}},
		{"lost after a reconnect", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1)
			k.ended(codeDraining)
			k.joined(6, byReconnect)
			messages(k, 7, 8, 9)
		}, verdict{delivered: 5, byReconnect: 3, silent: 1}},
		{"another replica is behind", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1, 2, 3, 5)
			k.ended(codeDraining)
			k.joined(6, byReconnect)
			messages(k, 3, 5, 6, 7, 8, 9)
		}, verdict{delivered: 9}},
		{"lost before a connection ended", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 2)
			k.ended(codeDraining)
			k.joined(3, byReconnect)
			messages(k, 3, 5, 6, 7, 8, 9)
		}, verdict{delivered: 8, silent: 1}},
		{"twice", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 1, 2, 3, 5, 6, 7, 8, 9) }, verdict{delivered: 9, duplicates: 1}},
		{"not taken, and late", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 2, 3, 5, 4, 6, 7, 8, 9) }, verdict{delivered: 9}},
		{"out of order", false, func(k *track) { k.joined(0, notOwed); messages(k, 0, 2, 1, 3, 5, 6, 7, 8, 9) }, verdict{delivered: 8, disorder: 1}},
		{"left, and back", false, func(k *track) {
			k.joined(0, notOwed)
			messages(k, 0, 1)
			k.left()
			k.joined(6, notOwed)
			messages(k, 6, 7, 8, 9)
		}, verdict{delivered: 6}},
		{"raw: a hole, and 4205", true, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 5, 6, 7, 8, 9); k.ended(codeGap) }, verdict{delivered: 7, byGap: 2}},
		{"raw: a hole, and no end", true, func(k *track) { k.joined(0, notOwed); messages(k, 0, 1, 5, 6, 7, 8, 9) }, verdict{delivered: 7, silent: 2}},
	} {
		l := newLedger(1)
		for range 10 {
			if n := l.allot(0); n != 4 {
				l.took(0, n)
			}
		}
		k := newTrack(0, c.raw)
		c.see(k)
		if got := k.judge(l); got != c.want {
			t.Errorf("%s: judged %+v, want %+v", c.name, got, c.want)
		}
	}
}

func messages(k *track, numbers ...int) {
	for _, n := range numbers {
		k.message(n)
	}
}
