//go:build linux

package main

import "testing"

func TestBisectionEndsBelowTheFirstRateThatFailsTwice(t *testing.T) {
	for _, c := range []struct {
		ceiling float64 // rates up to it are sustained
		want    float64
	}{{10, 0}, {50, 50}, {99, 96.875}, {1000, 1000}, {1_000_000, 102_400}} {
		var b bisection
		tries := 0
		for rate, ok := b.next(); ok; rate, ok = b.next() {
			b.took(rate, rate <= c.ceiling)
			if tries++; tries > 40 {
				t.Fatalf("ceiling %v: no end after %d tries", c.ceiling, tries)
			}
		}
		if b.low != c.want {
			t.Errorf("ceiling %v: found %v, want %v", c.ceiling, b.low, c.want)
		}
	}
}

func TestBisectionForgivesOneFailure(t *testing.T) {
	var b bisection
	rate, _ := b.next()
	b.took(rate, false)
	if again, ok := b.next(); !ok || again != rate {
		t.Fatalf("after one failure of %v: next is %v, %v, want the same", rate, again, ok)
	}
	b.took(rate, true)
	if next, _ := b.next(); next != 2*rate {
		t.Errorf("after %v was sustained: next is %v, want %v", rate, next, 2*rate)
	}
}

func TestARateFailsByWhateverDidNotComeOnceAndInOrder(t *testing.T) {
	for _, c := range []struct {
		got  measurement
		want string
	}{
		{measurement{Published: 98}, ""},
		{measurement{Published: 97}, "97 messages published of 100: the generator is at its limit"},
		{measurement{Published: 100, P99: 100}, "p99 100 ms"},
		{measurement{Published: 100, Lost: 1}, "1 deliveries lost"},
		{measurement{Published: 100, Duplicated: 2}, "2 duplicated"},
		{measurement{Published: 100, OutOfOrder: 3}, "3 out of order"},
		{measurement{Published: 100, Strays: 4}, "4 in a wrong room"},
		{measurement{Published: 100, Closed: 5}, "5 connections ended"},
	} {
		if got := failure(c.got, 100); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.got, got, c.want)
		}
	}
}

func TestFlawsAreThoseOfAllRounds(t *testing.T) {
	rounds := []measurement{{Lost: 999, Late: 1}, {Lost: 1, Duplicated: 2, Closed: 1}, {OutOfOrder: 3, Strays: 4}}
	const want = ", 1,000 lost, 2 duplicated, 3 out of order, 4 in a wrong room, 1 connections ended"
	if got := flaws(rounds); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
