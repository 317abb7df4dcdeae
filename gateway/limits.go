package gateway

import (
	"log/slog"
	"net/netip"
	"slices"
)

// Limits, as the settings, the metric and the log name them.
const (
	limitConnections = "connections"
	limitPerAddress  = "connections_per_address"
	limitPerUser     = "connections_per_user"
	limitHandshakes  = "handshakes_per_address"
	limitConnects    = "connects_per_second"
	limitFailures    = "failed_tokens_per_address"
	limitMessages    = "messages_per_minute"
	limitBytes       = "message_bytes"
	limitRooms       = "rooms_per_connection"
	limitSubscribes  = "subscribes_per_minute"
)

// Defaults of the address limits. They hold for public addresses only: behind a proxy that is
// not listed in TrustedProxies everybody comes from one private or loopback address.
const (
	defaultPerAddress = 1000
	defaultHandshakes = 600
	defaultFailures   = 60
)

// perAddress returns what an address limit is for addr: 0 for none. configured is n for all
// addresses, 0 for the default, negative for none.
func perAddress(configured, def int, addr netip.Addr) int {
	switch {
	case configured > 0:
		return configured
	case configured == 0 && addr.IsValid() && !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast():
		return def
	}
	return 0
}

// failures is the limit of refused tokens of one site.
func (s *settings) failures(at netip.Addr) paceLimit {
	return perMinute(perAddress(s.FailedTokensPerAddress, defaultFailures, at))
}

// dryBytes bounds a client's message while limits.dry_run names message_bytes.
const dryBytes = 16 << 20

// readLimit is the size of a message at which reading ends.
func (s *settings) readLimit() int {
	if slices.Contains(s.DryRun, limitBytes) {
		return max(s.MessageBytes, dryBytes)
	}
	return s.MessageBytes
}

// exceeded counts and logs that a limit was exceeded, and reports whether that is to have its
// consequence: limits named in DryRun only count.
func (g *Gateway) exceeded(limit string, addr netip.Addr, more ...slog.Attr) bool {
	dry := slices.Contains(g.opts().DryRun, limit)
	g.countExceeded(limit, addr, dry, more...)
	return !dry
}

// CountExceeded counts and logs, with the limits of the gateway's own, that one was exceeded which
// holds before ServeHTTP. Limits are a small set, and named as in the settings. dryRun: it had no
// consequence.
func (g *Gateway) CountExceeded(limit string, addr netip.Addr, dryRun bool) {
	g.countExceeded(limit, addr, dryRun)
}

func (g *Gateway) countExceeded(limit string, addr netip.Addr, dryRun bool, more ...slog.Attr) {
	g.metrics.exceeded(limit, dryRun)
	g.security("rate_limited", addr, limit, append(more, slog.Bool("dry_run", dryRun))...)
}
