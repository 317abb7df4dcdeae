//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median of an even number is the mean of the two in the middle; of none it is 0.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// ratios are values in multiples of those of base, round by round; nil: there is nothing to compare.
func ratios(values, base []float64) (times []float64) {
	for i := range min(len(values), len(base)) {
		if base[i] > 0 {
			times = append(times, values[i]/base[i])
		}
	}
	return times
}

// spread tells ratios by their median, and the least and most; empty: there are none.
func spread(times []float64) string {
	if len(times) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f × (%s)", median(times), leastMost("%.2f", times))
}

// leastMost is of one value at least, each formatted so.
func leastMost(format string, values []float64) string {
	return fmt.Sprintf(format+" – "+format, slices.Min(values), slices.Max(values))
}

// each is one figure of all rounds.
func each[T any](rounds []T, of func(T) float64) (values []float64) {
	for _, r := range rounds {
		values = append(values, of(r))
	}
	return values
}

func servers(rounds []measurement) []float64 {
	return each(rounds, func(m measurement) float64 { return m.Server })
}

// total is the sum of a count over all rounds.
func total(rounds []measurement, of func(measurement) int64) (n int64) {
	for _, m := range rounds {
		n += of(m)
	}
	return n
}

// flaws tells what did not come once, in order, where it should, in all rounds; empty: all did.
func flaws(rounds []measurement) (text string) {
	for _, f := range []struct {
		what string
		of   func(measurement) int64
	}{
		{"lost", func(m measurement) int64 { return m.Lost }},
		{"duplicated", func(m measurement) int64 { return m.Duplicated }},
		{"out of order", func(m measurement) int64 { return m.OutOfOrder }},
		{"in a wrong room", func(m measurement) int64 { return m.Strays }},
		{"connections ended", func(m measurement) int64 { return m.Closed }},
	} {
		if n := total(rounds, f.of); n > 0 {
			text += ", " + count(float64(n)) + " " + f.what
		}
	}
	return text
}

// trouble is the flaws of one round, with what was published late; empty: there is none.
func (m measurement) trouble() string {
	text := flaws([]measurement{m})
	if m.Late > 0 {
		text += ", " + count(float64(m.Late)) + " published late"
	}
	return text
}
