package history

import (
	"math"
	"slices"
	"time"
)

// Samples are what a History has at one moment, oldest first. They are good during the call of Read
// that gave them. Lists have an element for each sample; NaN is what is not known.
type Samples struct{ h *History }

// Read calls f with the samples of now, which do not change while it runs.
func (h *History) Read(f func(Samples)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	f(Samples{h})
}

// Len is how many there are.
func (s Samples) Len() int { return min(s.h.taken, s.h.size) }

// at is where the i-th stands in the ring.
func (s Samples) at(i int) int { return (s.h.taken - s.Len() + i) % s.h.size }

// Times are when they were taken.
func (s Samples) Times() []time.Time {
	list := make([]time.Time, s.Len())
	for i := range list {
		list[i] = s.h.times[s.at(i)]
	}
	return list
}

// Labels are the values of a metric's labels that there have been, sorted; several of one value with commas between.
func (s Samples) Labels(metric string) (list []string) {
	for k := range s.h.columns {
		if k.metric == metric && k.bucket == 0 {
			list = append(list, k.labels)
		}
	}
	slices.Sort(list)
	return list
}

// Values are what a metric without labels was.
func (s Samples) Values(metric string) []float64 { return s.list(key{metric: metric}) }

func (s Samples) list(k key) []float64 {
	list := make([]float64, s.Len())
	c := s.h.columns[k]
	for i := range list {
		if list[i] = math.NaN(); c != nil {
			list[i] = c[s.at(i)]
		}
	}
	return list
}

// Last is what the metric with these labels is now; 0 if there is none.
func (s Samples) Last(metric, labels string) float64 {
	c := s.h.columns[key{metric: metric, labels: labels}]
	if c == nil || s.Len() == 0 {
		return 0
	}
	return c[s.at(s.Len()-1)]
}

// Has reports whether there is such a metric, without labels.
func (s Samples) Has(metric string) bool { return s.h.columns[key{metric: metric}] != nil }

// Increase is by how much a counter with these labels has grown over all samples.
func (s Samples) Increase(metric, labels string) float64 {
	c := s.h.columns[key{metric: metric, labels: labels}]
	if c == nil || s.Len() == 0 {
		return 0
	}
	return max(0, c[s.at(s.Len()-1)]-c[s.at(0)])
}

// Rate is how fast counters of one metric grew, a second, all of these labels together; none: of all that there are.
func (s Samples) Rate(metric string, labels ...string) []float64 {
	if labels == nil {
		labels = s.Labels(metric)
	}
	list := make([]float64, s.Len())
	for i := range list {
		if i == 0 {
			list[0] = math.NaN()
			continue
		}
		now, before := s.at(i), s.at(i-1)
		for _, l := range labels {
			if c := s.h.columns[key{metric: metric, labels: l}]; c != nil {
				list[i] += max(0, c[now]-c[before])
			}
		}
		list[i] /= s.h.times[now].Sub(s.h.times[before]).Seconds()
	}
	return list
}

// Quantile is the q-quantile of what a histogram observed between each sample and the one before.
func (s Samples) Quantile(metric string, q float64) []float64 {
	list := make([]float64, s.Len())
	for i := range list {
		list[i] = s.quantile(metric, q, i-1, i)
	}
	return list
}

// QuantileOfAll is the q-quantile of what a histogram observed over all samples.
func (s Samples) QuantileOfAll(metric string, q float64) float64 {
	return s.quantile(metric, q, 0, s.Len()-1)
}

// quantile is that between two samples, as Prometheus estimates it: evenly spread within a bucket.
func (s Samples) quantile(metric string, q float64, from, to int) float64 {
	bounds := s.h.bounds[metric]
	if from < 0 || to <= from || len(bounds) == 0 {
		return math.NaN()
	}
	grown := func(bucket int) float64 {
		c := s.h.columns[key{metric: metric, bucket: bucket}]
		if c == nil {
			return 0
		}
		return c[s.at(to)] - c[s.at(from)]
	}
	rank := q * grown(len(bounds)+1)
	if rank <= 0 {
		return math.NaN()
	}
	lower, below := 0.0, 0.0
	for i, bound := range bounds {
		upTo := grown(i + 1)
		if upTo >= rank {
			return lower + (bound-lower)*(rank-below)/(upTo-below)
		}
		lower, below = bound, upTo
	}
	return lower // beyond the last bound nothing is known
}
