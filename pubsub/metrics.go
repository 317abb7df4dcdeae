package pubsub

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics never have a room among their labels: rooms are without number.
type metrics struct {
	messages   prometheus.Counter
	gaps       prometheus.Counter
	roundTrip  prometheus.Histogram
	subscribe  prometheus.Histogram
	reconnects map[reason]prometheus.Counter // every reason; read-only

	canaryErrors prometheus.Counter
	roomsRefused prometheus.Counter
}

// newMetrics makes b's metrics, and registers them if b's options say where.
func newMetrics(b *Broker) (metrics, error) {
	// To 16 s: subscribing from a quarter of a millisecond, by fours; the round trip, of which there is a plot, by twos, from
	// less than one over loopback takes.
	byFours, byTwos := prometheus.ExponentialBuckets(0.00025, 4, 9), prometheus.ExponentialBuckets(0.0000625, 2, 19)
	reconnects := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "roomgate_redis_reconnects_total",
		Help: "Subscription connections that ended or did not come about, by reason.",
	}, []string{"reason"})
	m := metrics{
		messages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "roomgate_redis_messages_total",
			Help: "Messages of rooms read from Redis.",
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "roomgate_redis_gaps_total",
			Help: "Rooms told that messages may have been lost while Redis was away.",
		}),
		roundTrip: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "roomgate_redis_round_trip_seconds",
			Help:    "Time from publishing a canary to reading it.",
			Buckets: byTwos,
		}),
		subscribe: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "roomgate_redis_subscribe_seconds",
			Help:    "Time that subscribing to a room not yet joined waited for Redis to confirm or refuse.",
			Buckets: byFours,
		}),
		canaryErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "roomgate_redis_canary_errors_total",
			Help: "Canaries that could not be published, or only over a connection that there was already.",
		}),
		roomsRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "roomgate_redis_rooms_refused_total",
			Help: "Subscriptions to a room that Redis refused; tried again each ten seconds while somebody holds it.",
		}),
		reconnects: make(map[reason]prometheus.Counter, len(reasons)),
	}
	for _, r := range reasons {
		m.reconnects[r] = reconnects.WithLabelValues(string(r))
	}
	if b.o.Metrics == nil {
		return m, nil
	}
	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "roomgate_redis_up",
		Help: "1 if Redis was proven to deliver of late, as /readyz has it.",
	}, func() float64 {
		if b.Ready() != nil {
			return 0
		}
		return 1
	})
	rooms := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "roomgate_redis_rooms",
		Help: "Rooms subscribed, or about to be.",
	}, func() float64 { return float64(b.Rooms()) })
	all := []prometheus.Collector{m.messages, m.gaps, m.roundTrip, m.subscribe, m.canaryErrors, m.roomsRefused, reconnects, up, rooms}
	if p, ok := b.place.(*sentinels); ok {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "roomgate_redis_sentinels",
			Help: "Sentinels of redis.url that answered when they were asked last.",
		}, func() float64 { return float64(p.well()) }))
	}
	if b.shards != nil {
		all = append(all, b.shards.gauges()...)
	}
	for _, c := range all {
		if err := b.o.Metrics.Register(c); err != nil {
			return m, err
		}
	}
	return m, nil
}
