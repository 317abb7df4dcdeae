package pubsub

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ready returns nil if more than half of the masters were proven to deliver of late: one of three that died and has
// no replica must not take every replica of the gateway out of service, which could serve the other rooms; while
// one that reaches fewer than half is likelier to be cut off itself.
func (s *shards) ready(now time.Time) error {
	s.mu.Lock()
	parts, trouble := s.parts, s.trouble
	s.mu.Unlock()
	if len(parts) == 0 {
		return fmt.Errorf("redis: the slots of the cluster are not known: %w", trouble)
	}
	if good, first := proven(parts, now); 2*good <= len(parts) {
		return fmt.Errorf("redis: %d of %d masters are not proven, such as %w", len(parts)-good, len(parts), first)
	}
	if s.control != nil {
		if err := s.control.health.ready(now); err != nil {
			return fmt.Errorf("control channel: %w", err)
		}
	}
	return nil
}

// masters is how many own a slot, and how many of those are proven.
func (s *shards) masters(now time.Time) (all, good int) {
	parts := s.partsNow()
	good, _ = proven(parts, now)
	return len(parts), good
}

// proven counts the parts that are, and says of the first that is not why.
func proven(parts []*part, now time.Time) (n int, first error) {
	for _, p := range parts {
		err := p.health.ready(now)
		switch {
		case err == nil:
			n++
		case first == nil:
			first = fmt.Errorf("%s: %w", p.master, err)
		}
	}
	return n, first
}

// gauges are the metrics that there are with sharded pub/sub only.
func (s *shards) gauges() []prometheus.Collector {
	gauge := func(name, help string, of func(all, good int) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return float64(of(s.masters(time.Now())))
		})
	}
	return []prometheus.Collector{
		gauge("roomgate_redis_masters", "Masters of the Cluster that own slots.", func(all, _ int) int { return all }),
		gauge("roomgate_redis_masters_proven", "Masters of the Cluster that own slots and were proven to deliver of late.",
			func(_, good int) int { return good }),
	}
}
