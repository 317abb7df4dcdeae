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
