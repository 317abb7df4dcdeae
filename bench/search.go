//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// What a rate must be sustained with to count.
const (
	maxMembers = 1000
	maxP99     = 100 * time.Millisecond
	maxFirst   = 50      // messages/s of the first try
	maxLast    = 102_400 // and of the last: more has no sense
	maxRefine  = 4       // bisections after the doubling: the result is within 1/16 of an octave
	maxStep    = 3 * time.Second
)

// A ceiling is the highest rate that a server sustained.
type ceiling struct {
	Rate  float64 `json:"rate"` // messages a second to 1,000 members; 0: not even the first
	Tries []try   `json:"tries"`
}

// A try is one rate.
type try struct {
	Rate float64     `json:"rate"`
	Why  string      `json:"why"` // it failed; empty: it was sustained
	Got  measurement `json:"got"`
}

// search finds the ceiling of p. What failed may have left a backlog or lost clients, so the next try has
// a new server.
func search(ctx context.Context, r *rig, p peer, tell func(try)) (ceiling, error) {
	var c ceiling
	var b bisection
	for rate, ok := b.next(); ok; {
		err := with(ctx, r, p, maxMembers, 1, func(s *subject, clients *load.Clients) error {
			for good := true; good && ok; rate, ok = b.next() {
				got, err := s.measure(ctx, r, clients, flow{rate: rate, size: 128, duration: maxStep})
				t := try{rate, failure(got, rate*maxStep.Seconds()), got}
				if errors.Is(err, errNothing) {
					t.Why = err.Error()
				} else if err != nil {
					return err
				}
				good = t.Why == ""
				b.took(rate, good)
				c.Tries = append(c.Tries, t)
				tell(t)
			}
			return nil
		})
		if err != nil {
			return c, err
		}
	}
	c.Rate = b.low
	return c, nil
}

// A bisection doubles a rate until one fails, and then halves the distance between the last two. To fail is to
// do so twice: once can be the machine's fault.
type bisection struct {
	low, high float64 // the highest that was good, the lowest that was not; 0: none yet
	refined   int
	failed    bool // the last rate did, for the first time
}

// next returns the rate to try; false: there is none left.
func (b *bisection) next() (float64, bool) {
	if b.high == 0 {
		rate := max(maxFirst, 2*b.low)
		return rate, rate <= maxLast
	}
	return (b.low + b.high) / 2, b.low > 0 && b.refined < maxRefine
}

// took says what came of the rate that next returned.
func (b *bisection) took(rate float64, good bool) {
	if b.failed = !good && !b.failed; b.failed {
		return
	}
	if b.high > 0 {
		b.refined++
	}
	if good {
		b.low = rate
	} else {
		b.high = rate
	}
}

// failure says why a rate was not sustained, at which wanted messages would be published; empty: it was.
func failure(m measurement, wanted float64) string {
	switch {
	case m.Closed > 0:
		return fmt.Sprintf("%d connections ended", m.Closed)
	case m.Lost > 0:
		return fmt.Sprintf("%d deliveries lost", m.Lost)
	case m.Duplicated > 0:
		return fmt.Sprintf("%d duplicated", m.Duplicated)
	case m.OutOfOrder > 0:
		return fmt.Sprintf("%d out of order", m.OutOfOrder)
	case m.Strays > 0:
		return fmt.Sprintf("%d in a wrong room", m.Strays)
	case m.P99 >= millis(maxP99):
		return fmt.Sprintf("p99 %.0f ms", m.P99)
	case float64(m.Published) < 0.98*wanted:
		return fmt.Sprintf("%d messages published of %.0f: the generator is at its limit", m.Published, wanted)
	}
	return ""
}
