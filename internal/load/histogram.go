package load

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets of fixed bounds: 64 to each power of two of nanoseconds, so
// that none is off by more than 1.6 %. Its size does not depend on how many it counts.
type histogram struct {
	buckets [steps * (octaves + 1)]int64
	count   int64
	max     int64 // ns
}

const (
	stepBits = 6
	steps    = 1 << stepBits
	octaves  = 35 // above the first, linear one: up to 2^41 ns, 36 minutes. What is longer is in the last bucket
)

// add counts a duration of ns nanoseconds.
func (h *histogram) add(ns int64) {
	ns = max(ns, 0)
	octave := max(bits.Len64(uint64(ns))-stepBits-1, 0)
	i := octave<<stepBits + int(ns>>octave)
	h.buckets[min(i, len(h.buckets)-1)]++
	h.count++
	h.max = max(h.max, ns)
}

// quantile returns the bound below which q of all durations are; 0: there are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(q * float64(h.count))
	for i, n := range h.buckets {
		if rank -= n; rank < 0 {
			return time.Duration(min(upper(i), h.max))
		}
	}
	return time.Duration(h.max)
}

// upper returns the largest duration in bucket i.
func upper(i int) int64 {
	if i < 2*steps {
		return int64(i)
	}
	octave := i>>stepBits - 1
	return int64(i-octave<<stepBits+1)<<octave - 1
}

// Quantiles are the latencies that so many of the deliveries were within.
type Quantiles struct {
	P50, P90, P99, P999, Max time.Duration
}

func (h *histogram) quantiles() Quantiles {
	return Quantiles{h.quantile(.5), h.quantile(.9), h.quantile(.99), h.quantile(.999), time.Duration(h.max)}
}
