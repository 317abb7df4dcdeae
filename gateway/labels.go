package gateway

import "github.com/prometheus/client_golang/prometheus"

// What the labels of the gateway's counters may be. Each series is there from the start: of one that
// first appears at 1, Prometheus sees no increase, and an alert would miss the first event.
var (
	allEndings = []ending{
		endBadRequest, endTokenMissing, endTokenInvalid, endRoomForbidden, endDisconnected, endTooManyOfUser, endAuthTimeout,
		endRateExceeded, endTooManyTokens, endSlow, endAllSlow, endNoRedis, endNoKeys, endDrain, endExpired, endAge, endNoPong,
		endStalledFrame, endGap, endKind, endUTF8, endTooBig, endProtocol, endBug, endClient, endLost, endStop,
	}
	allRefusals = []string{ // besides endings, of what is upgraded to be told
		"accepted", "failed", "draining", "full", "redis_unavailable", "keys_unavailable", "bad_request", "not_websocket", "origin",
		limitHandshakes, limitFailures, limitPerAddress, limitConnects,
	}
	allAuthFailures = []string{ // of package auth, and then of this one
		"malformed", "too_long", "critical_header", "issuer", "algorithm", "unknown_key", "signature", "expired", "not_yet_valid",
		"no_expiry", "audience", "claims", "revoked",
		"missing", "ambiguous", "room", "subject", "timeout", reasonUnavailable,
	}
	allClientMessages = []string{"auth", "subscribe", "unsubscribe", "publish", "ping",
		"binary", "invalid", "unauthorized", "unknown", "rate_limited", "forbidden"}
	allControls = []string{"disconnect", "invalid", "overload"}
	allGaps     = []string{gapRedis, gapOverload}
	allLimits   = []string{
		limitConnections, limitPerAddress, limitPerUser, limitHandshakes, limitConnects, limitFailures, limitMessages, limitBytes, limitRooms,
		limitSubscribes,
		"handshakes", "handshake_timeout", "upstream_requests", // which hold before ServeHTTP: CountExceeded
	}
	refusedAtDoor = []ending{ // upgraded only to be told
		endBadRequest, endTokenMissing, endTokenInvalid, endRoomForbidden,
	}
)

// begin makes the series of all labels.
func (m *metrics) begin() {
	for _, e := range allEndings {
		m.endings.WithLabelValues(e.label)
	}
	for _, e := range refusedAtDoor {
		m.connects.WithLabelValues(e.label)
	}
	each := func(c *prometheus.CounterVec, labels []string) {
		for _, label := range labels {
			c.WithLabelValues(label)
		}
	}
	each(m.connects, allRefusals)
	each(m.authFailures, allAuthFailures)
	each(m.clientMessages, allClientMessages)
	each(m.controls, allControls)
	each(m.gaps, allGaps)
	for _, limit := range allLimits {
		m.limits.WithLabelValues(limit, "true")
		m.limits.WithLabelValues(limit, "false")
	}
}
