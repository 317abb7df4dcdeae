//go:build linux

package chaos

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	curveMost  = 3600 // seconds that are counted
	curveWidth = 60   // characters of the longest bar
)

// Returns count the connections that were upgraded, by the second since the fault began.
type returns struct {
	mu        sync.Mutex // guards what follows
	began     time.Time  // zero: nothing has begun, and nothing is counted
	perSecond []int
}

func (r *returns) begin(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.perSecond = at, nil
}

func (r *returns) count(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.IsZero() {
		return
	}
	second := min(int(at.Sub(r.began)/time.Second), curveMost)
	for len(r.perSecond) <= second {
		r.perSecond = append(r.perSecond, 0)
	}
	r.perSecond[second]++
}

// A curve is how many came back in each second.
type curve []int

func (r *returns) curve() curve {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(curve(nil), r.perSecond...)
}

// steepest is the second in which most came, and how many.
func (c curve) steepest() (second, n int) {
	for i, each := range c {
		if each > n {
			second, n = i, each
		}
	}
	return second, n
}

// within is how many came in the steepest so many seconds.
func (c curve) within(d time.Duration) (most int) {
	for i := range c {
		most = max(most, c[i:min(i+int(d/time.Second), len(c))].total())
	}
	return most
}

func (c curve) total() (n int) {
	for _, each := range c {
		n += each
	}
	return n
}

// String is the curve as bars of text, a line for each second.
func (c curve) String() string {
	var b strings.Builder
	_, most := c.steepest()
	for i, n := range c {
		bar := strings.Repeat("█", n*curveWidth/max(most, 1))
		b.WriteString(strings.TrimRight(fmt.Sprintf("%4d s %5d %s", i, n, bar), " ") + "\n")
	}
	return b.String()
}
