package gateway

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// logRate is how many lines of one kind of event are written: what comes faster is counted,
// and the count stands in the next line. The log must not be an attack's amplifier.
var logRate = paceLimit{interval: 100 * time.Millisecond, burst: 50}

// endRate is likewise how many ends of connections that were let in are written: more than a
// healthy node has, so that only a storm of reconnects, or a large drain, is sampled.
var endRate = paceLimit{interval: 10 * time.Millisecond, burst: 1000}

// A sampler holds back lines of events that come too fast. The kinds are a fixed, small set.
type sampler struct {
	mu    sync.Mutex // guards what follows
	kinds map[string]*sampled
}

type sampled struct {
	pace       pace
	suppressed int // since the last line
}

// take reports whether a line of event may be written now, and how many before it were not.
func (s *sampler) take(event string, rate paceLimit, now int64) (suppressed int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kinds[event]
	if k == nil {
		if s.kinds == nil {
			s.kinds = make(map[string]*sampled)
		}
		k = &sampled{}
		s.kinds[event] = k
	}
	if !k.pace.allow(rate, now) {
		k.suppressed++
		return 0, false
	}
	suppressed, k.suppressed = k.suppressed, 0
	return suppressed, true
}

// logSampled logs one event of a kind that strangers can cause. No token, query string or
// payload may come here.
func (g *Gateway) logSampled(level slog.Level, event, message string, attrs ...slog.Attr) {
	g.logHeldTo(logRate, level, event, message, attrs...)
}

// logHeldTo is logSampled at a rate of its own.
func (g *Gateway) logHeldTo(rate paceLimit, level slog.Level, event, message string, attrs ...slog.Attr) {
	suppressed, ok := g.lines.take(event, rate, g.now())
	if !ok {
		return
	}
	attrs = append([]slog.Attr{slog.String("event", event)}, attrs...)
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	g.log.LogAttrs(g.ctx, level, message, attrs...)
}

// security logs one security event.
func (g *Gateway) security(event string, addr netip.Addr, reason string, more ...slog.Attr) {
	g.logSampled(slog.LevelWarn, event, "security", append([]slog.Attr{slog.Any("addr", addr), slog.String("reason", reason)}, more...)...)
}

// authFailed counts and logs a token that was refused, or that there was none.
func (g *Gateway) authFailed(addr netip.Addr, reason string, more ...slog.Attr) {
	g.metrics.authFailures.WithLabelValues(reason).Inc()
	g.security("auth_failed", addr, reason, more...)
}

// tokenRefused is authFailed for a token that was bad, of which an address may have only so
// many a minute. One that could not be judged does not count there: err, which is for the
// operator, says what is missing.
func (g *Gateway) tokenRefused(addr netip.Addr, reason string, err error) {
	if reason == reasonUnavailable {
		g.authFailed(addr, reason, slog.String("error", err.Error()))
		return
	}
	g.authFailed(addr, reason)
	at := site(addr)
	g.addresses.failed(at, g.opts().failures(at), g.now())
}

// logEnd writes the one line of a connection's end. Of connections that nobody was let in by,
// which cost a stranger nothing, only a sample; of the others one when they end by the hundreds a
// second, unless the log is to have all.
func (c *conn) logEnd(why *ending, age time.Duration) {
	attrs := []slog.Attr{slog.String("conn", c.name()), slog.String("sub", c.subject()), slog.Any("addr", c.client.addr),
		slog.String("origin", c.client.origin), slog.String("issuer", c.issuer()), slog.String("reason", why.label), slog.Int("code", why.code), slog.String("detail", why.text), slog.Float64("seconds", age.Seconds())}
	if c.session.Load() == nil {
		c.g.logSampled(slog.LevelInfo, "connection_refused", "connection refused", attrs...)
		return
	}
	rate := endRate
	if c.g.log.Enabled(c.g.ctx, slog.LevelDebug) {
		rate = paceLimit{}
	}
	c.g.logHeldTo(rate, slog.LevelInfo, "connection_closed", "connection closed", attrs...)
}
