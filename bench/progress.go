//go:build linux

package main

import (
	"fmt"
	"os"
	"time"
)

// A plan tells on stderr what was measured, and when the rest will be.
type plan struct {
	began       time.Time
	total, done time.Duration // as estimated
}

// step is over, and was estimated to take d.
func (p *plan) step(d time.Duration, format string, args ...any) {
	p.done += d
	passed := time.Since(p.began)
	left := time.Duration(0)
	if p.done > 0 && p.total > p.done {
		left = time.Duration(float64(passed) * float64(p.total-p.done) / float64(p.done))
	}
	fmt.Fprintf(os.Stderr, "%6s, %6s left: %s\n", passed.Round(time.Second), left.Round(time.Second), fmt.Sprintf(format, args...))
}
