//go:build linux

package chaos

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Phases of a case, whose latencies are told apart.
const (
	phaseOther = iota // connecting, and the end
	phaseQuiet
	phaseFault // from its beginning until every client has a new message again
	phases
)

// Latencies count how long messages took that were delivered, from just before the publisher sent
// them to Redis until their client had read them, by phase. What was lost took no time at all.
// Any goroutine may use it.
type latencies struct {
	phase  atomic.Int32
	counts [phases][steps * octaves]atomic.Int64
}

// Buckets: 32 to each power of two of microseconds, so that none is off by more than 3 %.
const (
	stepBits = 5
	steps    = 1 << stepBits
	octaves  = 32 // up to an hour and more; what is longer is in the last bucket
)

func (l *latencies) add(d time.Duration) {
	us := max(int(d.Microseconds()), 0)
	octave := max(bits.Len(uint(us))-stepBits-1, 0)
	i := min(octave<<stepBits+us>>octave, steps*octaves-1)
	l.counts[l.phase.Load()][i].Add(1)
}

// Quantiles are latencies in milliseconds that so many of Count deliveries were within.
type Quantiles struct {
	Count int64   `json:"deliveries"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// of returns the quantiles of a phase.
func (l *latencies) of(phase int) (q Quantiles) {
	counts := &l.counts[phase]
	for i := range counts {
		q.Count += counts[i].Load()
	}
	var seen int64
	for i := range counts {
		n := counts[i].Load()
		if n == 0 {
			continue
		}
		seen += n
		bound := upper(i)
		if q.P50 == 0 && seen*2 >= q.Count {
			q.P50 = bound
		}
		if q.P99 == 0 && seen*100 >= q.Count*99 {
			q.P99 = bound
		}
		q.Max = bound
	}
	return q
}

// upper is the longest latency of bucket i, in milliseconds.
func upper(i int) float64 {
	if i < 2*steps {
		return float64(i) / 1e3
	}
	octave := i>>stepBits - 1
	return float64((i-octave<<stepBits+1)<<octave-1) / 1e3
}
