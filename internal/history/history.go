// Package history keeps what chosen metrics of a Prometheus registry were of late, and tells totals,
// rates and quantiles of them. It knows nothing of what they mean.
//
// The metrics stay the one source: who counts need not know that somebody keeps it, and pays nothing for it.
package history

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// mostColumns bounds what is kept, should a metric have labels without end: the others are not.
const mostColumns = 512

// A History is a ring of samples. Its methods may be called from any goroutine.
type History struct {
	source  prometheus.Gatherer
	step    time.Duration
	size    int
	metrics map[string]bool // those that are kept; read-only

	mu      sync.RWMutex // guards what follows
	taken   int          // samples; the last stands at (taken-1) % size, as everywhere
	times   []time.Time
	columns map[key]column
	bounds  map[string][]float64 // of each histogram's buckets, as gathered, without +Inf
}

// A key is one counter or gauge, or what a histogram counted up to a bound.
type key struct {
	metric string
	labels string // the values, in the order of their names, with commas between; of a bucket empty
	bucket int    // 0: it is none; else one more than the index of its bound. Beyond the last it counts all
}

// A column has one value for each sample. Counters, and all buckets, begin at 0.
type column []float64

// New makes a History of the metrics with these names, of size samples, one each step. A histogram must
// have no labels.
func New(source prometheus.Gatherer, step time.Duration, size int, metrics ...string) *History {
	h := &History{source: source, step: step, size: size, metrics: make(map[string]bool), times: make([]time.Time, size),
		columns: make(map[key]column), bounds: make(map[string][]float64)}
	for _, m := range metrics {
		h.metrics[m] = true
	}
	return h
}

// Run takes a sample at once and then each step, until ctx ends.
func (h *History) Run(ctx context.Context) error {
	tick := time.NewTicker(h.step)
	defer tick.Stop()
	for {
		h.sample()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *History) sample() {
	// An error is of a collector that could not say all, such as of a process without /proc: what
	// the others said is there.
	families, _ := h.source.Gather()
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.taken % h.size
	h.times[at] = time.Now()
	if h.taken > 0 {
		before := (h.taken - 1) % h.size
		for _, c := range h.columns { // who is silent has not changed
			c[at] = c[before]
		}
	}
	for _, f := range families {
		if h.metrics[f.GetName()] {
			for _, m := range f.GetMetric() {
				h.take(f.GetName(), m, at)
			}
		}
	}
	h.taken++
}

// take puts one metric's value of now into its columns. h.mu is held.
func (h *History) take(name string, m *dto.Metric, at int) {
	switch {
	case m.GetHistogram() != nil:
		buckets := m.GetHistogram().GetBucket()
		if h.bounds[name] == nil {
			for _, b := range buckets {
				h.bounds[name] = append(h.bounds[name], b.GetUpperBound())
			}
		}
		for i, b := range buckets {
			h.set(key{metric: name, bucket: i + 1}, at, float64(b.GetCumulativeCount()))
		}
		h.set(key{metric: name, bucket: len(buckets) + 1}, at, float64(m.GetHistogram().GetSampleCount()))
	case m.GetCounter() != nil:
		h.set(key{metric: name, labels: labels(m)}, at, m.GetCounter().GetValue())
	case m.GetGauge() != nil:
		h.set(key{metric: name, labels: labels(m)}, at, m.GetGauge().GetValue())
	}
}

func (h *History) set(k key, at int, value float64) {
	c := h.columns[k]
	if c == nil {
		if len(h.columns) == mostColumns {
			return
		}
		c = make(column, h.size)
		h.columns[k] = c
	}
	c[at] = value
}

// labels are the values of a metric's labels, which Gather has sorted by name.
func labels(m *dto.Metric) string {
	var values []string
	for _, l := range m.GetLabel() {
		values = append(values, l.GetValue())
	}
	return strings.Join(values, ",")
}
