package auth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fetching is what all issuers' key fetches have in common.
type fetching struct {
	stale   time.Duration
	roots   *x509.CertPool // nil: whom the system trusts
	log     *slog.Logger
	metrics *metrics
}

func newFetching(o Options) (*fetching, error) {
	f := &fetching{stale: o.KeysStale, roots: o.RootCAs, log: o.Log}
	if f.stale == 0 {
		f.stale = defaultStale
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(o.Metrics)
	f.metrics = m
	if f.stale < 2*refreshEvery {
		err = errors.Join(err, fmt.Errorf("option KeysStale is %v: use at least %v, or one failed fetch refuses everybody", o.KeysStale, 2*refreshEvery))
	}
	return f, err
}

// metrics have the issuers that are configured among their labels, and nothing of a token.
type metrics struct {
	fetches *prometheus.CounterVec
	keys    *prometheus.GaugeVec
	last    *prometheus.GaugeVec
}

// newMetrics registers the metrics, or finds those of an earlier Verifier: a reload makes a new one.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "roomgate_auth_key_fetches_total",
			Help: "Fetches of an issuer's keys, by outcome: ok or failed.",
		}, []string{"issuer", "outcome"}),
		keys: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roomgate_auth_keys",
			Help: "Keys of an issuer that tokens are verified with.",
		}, []string{"issuer"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "roomgate_auth_keys_fetched_timestamp_seconds",
			Help: "When an issuer's keys were last asked for with success.",
		}, []string{"issuer"}),
	}
	if r == nil {
		return m, nil
	}
	var errFetches, errKeys, errLast error
	m.fetches, errFetches = register(r, m.fetches)
	m.keys, errKeys = register(r, m.keys)
	m.last, errLast = register(r, m.last)
	return m, errors.Join(errFetches, errKeys, errLast)
}

// register returns c, or the collector that is there already in its place.
func register[C prometheus.Collector](r prometheus.Registerer, c C) (C, error) {
	err := r.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if earlier, ok := already.ExistingCollector.(C); ok {
			return earlier, nil
		}
	}
	if err != nil {
		return c, fmt.Errorf("option Metrics: %w", err)
	}
	return c, nil
}

// fetchMetrics are those of one issuer.
type fetchMetrics struct {
	ok, failed prometheus.Counter
	keys, last prometheus.Gauge
}

func (m *metrics) of(issuer string) fetchMetrics {
	return fetchMetrics{
		ok:     m.fetches.WithLabelValues(issuer, "ok"),
		failed: m.fetches.WithLabelValues(issuer, "failed"),
		keys:   m.keys.WithLabelValues(issuer),
		last:   m.last.WithLabelValues(issuer),
	}
}

func (m *fetchMetrics) fetched(set *keySet) {
	m.ok.Inc()
	m.keys.Set(float64(set.size))
	m.last.Set(float64(set.asked.UnixMilli()) / 1000)
}
