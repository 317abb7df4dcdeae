package gateway

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the gateway's, registered once. No label holds a room, a user or an address:
// their number must not grow with the clients.
type metrics struct {
	connections      prometheus.Gauge
	connects         *prometheus.CounterVec
	reconnecting     prometheus.Counter
	authFailures     *prometheus.CounterVec
	duration         prometheus.Histogram
	endings          *prometheus.CounterVec
	clientMessages   *prometheus.CounterVec
	controls         *prometheus.CounterVec
	limits           *prometheus.CounterVec
	deliveries       prometheus.Counter
	drops            *prometheus.CounterVec
	shed             prometheus.Counter // drops{reason="overload"}
	dropClosing      prometheus.Counter // drops{reason="closing"}
	dropSlow         prometheus.Counter // drops{reason="slow_consumer"}
	gaps             *prometheus.CounterVec
	fanout           prometheus.Histogram
	heartbeatsMissed prometheus.Counter
}

func newMetrics(r prometheus.Registerer, g *Gateway) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "roomgate_" + name, Help: help})
		r.MustRegister(c)
		return c
	}
	vec := func(name, label, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "roomgate_" + name, Help: help}, []string{label})
		r.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "roomgate_" + name, Help: help, Buckets: buckets})
		r.MustRegister(h)
		return h
	}
	m := &metrics{
		connections:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "roomgate_connections", Help: "WebSocket connections open now."}),
		connects:         vec("connects_total", "result", "WebSocket requests by what came of them."),
		reconnecting:     counter("reconnecting_clients_total", "Clients (user and address) that came back within a minute or two of leaving this node."),
		authFailures:     vec("auth_failures_total", "reason", "Tokens, or their absence, that were refused."),
		duration:         histogram("connection_duration_seconds", "How long connections lasted.", []float64{1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}),
		endings:          vec("connections_ended_total", "reason", "Connections that ended, by why."),
		clientMessages:   vec("client_messages_total", "type", "Messages from clients, by type or by why they were refused."),
		controls:         vec("control_commands_total", "result", "Commands from the backend: disconnect, or why one was not carried out."),
		deliveries:       counter("deliveries_total", "Messages handed to a connection."),
		drops:            vec("drops_total", "reason", "Messages not delivered: overload (counted once for the room, whose members get a gap), slow_consumer and closing (once for each connection, which ends)."),
		gaps:             vec("gaps_total", "reason", "Clients told that messages may be missing."),
		fanout:           histogram("fanout_seconds", "From a message's arrival from Redis until the last member's send.", prometheus.ExponentialBuckets(25e-6, 2, 16)),
		heartbeatsMissed: counter("heartbeats_missed_total", "Pings that no sign of life followed in time."),
	}
	m.shed = m.drops.WithLabelValues("overload")
	m.dropSlow = m.drops.WithLabelValues("slow_consumer")
	m.dropClosing = m.drops.WithLabelValues("closing")
	m.limits = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "roomgate_limits_exceeded_total",
		Help: "Limits that were exceeded; dry_run true: without consequence."}, []string{"limit", "dry_run"})
	gauge := func(name, help string, value *atomic.Int64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "roomgate_" + name, Help: help},
			func() float64 { return float64(value.Load()) }))
	}
	r.MustRegister(m.limits, m.connections, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "roomgate_connections_limit",
		Help: "WebSocket connections there may be at most: limits.connections, or what the limit of open files permits; 0: no limit."},
		func() float64 { return float64(g.opts().Connections) }))
	m.begin()
	gauge("outbox_bytes", "Bytes that wait for clients to read.", &g.backlog.owed)
	gauge("outbox_memory_bytes", "Memory of what waits for clients to read: what waits for several takes it once.", &g.backlog.kept)
	return m
}

func (m *metrics) connect(result string) { m.connects.WithLabelValues(result).Inc() }
func (m *metrics) exceeded(limit string, dry bool) {
	m.limits.WithLabelValues(limit, strconv.FormatBool(dry)).Inc()
}
func (m *metrics) control(result string)     { m.controls.WithLabelValues(result).Inc() }
func (m *metrics) clientMessage(kind string) { m.clientMessages.WithLabelValues(kind).Inc() }

func (m *metrics) ended(why *ending, age time.Duration) {
	m.endings.WithLabelValues(why.label).Inc()
	m.duration.Observe(age.Seconds())
}

// delivered counts a fan-out of n messages: to how many members, and how many of them were
// closing or too slow for it.
func (m *metrics) delivered(n, members, closing, slow int, took time.Duration) {
	m.deliveries.Add(float64(n * members))
	if closing > 0 {
		m.dropClosing.Add(float64(n * closing))
	}
	if slow > 0 {
		m.dropSlow.Add(float64(n * slow))
	}
	m.fanout.Observe(took.Seconds())
}
