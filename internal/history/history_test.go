package history

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/internal/secrecy"
)

func TestMain(m *testing.M) { secrecy.Main(m, secrecy.Pages) }

const step = 5 * time.Second

// A world is a History of three samples that runs on synctest's clock.
type world struct {
	*History
	gauge     prometheus.Gauge
	counters  *prometheus.CounterVec
	histogram prometheus.Histogram
}

// run runs test while a History takes samples, at 0, 5, 10 … seconds.
func run(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		r := secrecy.Registry(t)
		w := &world{
			gauge:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "gauge"}),
			counters:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "counter"}, []string{"why"}),
			histogram: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "histogram", Buckets: []float64{1, 2, 4}}),
		}
		other := prometheus.NewGauge(prometheus.GaugeOpts{Name: "other"})
		r.MustRegister(w.gauge, w.counters, w.histogram, other)
		w.History = New(r, step, 3, "gauge", "counter", "histogram")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait() // the first sample
		test(w)
		cancel()
		<-ended
	})
}

// pass lets one step pass, and its sample be taken.
func (w *world) pass() {
	time.Sleep(step)
	synctest.Wait()
}

// same compares lists in which NaN equals NaN.
func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) })
}

func TestRingForgetsTheOldestSample(t *testing.T) {
	run(t, func(w *world) {
		for i := range 4 {
			w.gauge.Set(float64(i + 1))
			w.pass()
		}
		w.Read(func(s Samples) {
			if got, want := s.Values("gauge"), []float64{2, 3, 4}; !same(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			times := s.Times()
			if len(times) != 3 || times[2].Sub(times[0]) != 2*step {
				t.Errorf("taken at %v, want three, %v apart", times, step)
			}
			if s.Has("other") || s.Has("counter") || !s.Has("gauge") {
				t.Error("it keeps what it was not asked for, or does not keep what it was")
			}
		})
	})
}

func TestCounterThatIsNewHasGrownFromZero(t *testing.T) {
	run(t, func(w *world) {
		w.counters.WithLabelValues("a").Add(10)
		w.pass()
		w.counters.WithLabelValues("b").Add(5)
		w.pass()
		w.Read(func(s Samples) {
			if got, want := s.Rate("counter"), []float64{math.NaN(), 2, 1}; !same(got, want) {
				t.Errorf("rates of all: got %v, want %v", got, want)
			}
			if got, want := s.Rate("counter", "b", "no such"), []float64{math.NaN(), 0, 1}; !same(got, want) {
				t.Errorf("rates of b: got %v, want %v", got, want)
			}
			if got, want := s.Labels("counter"), []string{"a", "b"}; !reflect.DeepEqual(got, want) {
				t.Errorf("labels: got %v, want %v", got, want)
			}
			if a, b, none := s.Increase("counter", "a"), s.Increase("counter", "b"), s.Increase("counter", "c"); a != 10 || b != 5 || none != 0 {
				t.Errorf("increases %v, %v, %v, want 10, 5, 0", a, b, none)
			}
		})
		w.pass()
		w.pass()
		w.Read(func(s Samples) {
			if total, late := s.Last("counter", "a"), s.Increase("counter", "a"); total != 10 || late != 0 {
				t.Errorf("once it is old: total %v, of late %v, want 10, 0", total, late)
			}
		})
	})
}

func TestQuantilesAreThoseOfEachStepAndOfAll(t *testing.T) {
	run(t, func(w *world) {
		for range 10 {
			w.histogram.Observe(1.5)
		}
		w.pass()
		for range 10 {
			w.histogram.Observe(100)
		}
		w.pass()
		w.Read(func(s Samples) {
			if got, want := s.Quantile("histogram", .5), []float64{math.NaN(), 1.5, 4}; !same(got, want) {
				t.Errorf("medians: got %v, want %v, of which the last is beyond the bounds", got, want)
			}
			if got, want := s.QuantileOfAll("histogram", .25), 1.5; got != want {
				t.Errorf("a quarter of all: got %v, want %v", got, want)
			}
			if got := s.QuantileOfAll("gauge", .5); !math.IsNaN(got) {
				t.Errorf("of what is no histogram: got %v, want NaN", got)
			}
		})
		w.pass()
		w.Read(func(s Samples) {
			if got := s.Quantile("histogram", .5)[2]; !math.IsNaN(got) {
				t.Errorf("of a step without observations: got %v, want NaN", got)
			}
		})
	})
}

func TestLabelsWithoutEndAreNotKept(t *testing.T) {
	run(t, func(w *world) {
		for i := range 2 * mostColumns {
			w.counters.WithLabelValues(time.Duration(i).String()).Inc()
		}
		w.pass()
		if got := len(w.columns); got != mostColumns {
			t.Errorf("%d columns, want %d", got, mostColumns)
		}
	})
}

func TestWhoReadsBeforeTheFirstSampleFindsNone(t *testing.T) {
	h := New(secrecy.Registry(t), step, 3, "gauge")
	h.Read(func(s Samples) {
		if s.Len() != 0 || len(s.Values("gauge")) != 0 || len(s.Rate("gauge")) != 0 || s.Last("gauge", "") != 0 || s.Increase("gauge", "") != 0 ||
			!math.IsNaN(s.QuantileOfAll("gauge", .5)) {
			t.Error("something is there")
		}
	})
}
