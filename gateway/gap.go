package gateway

import "time"

// Reasons of a gap, as docs/protocol.md names them.
const (
	gapRedis    = "redis"    // the subscription was lost and is confirmed again
	gapOverload = "overload" // more was published than could be sent on
)

// gap tells the client that messages of room may be missing, and when to refetch: a time
// drawn for each client, so that an outage of Redis does not become a stampede on the API.
// roomgate.raw.v1 has no frame for it: there the connection ends at that time.
func (c *conn) gap(room, reason string) {
	after := drawAfter(c.g.opts().GapSpread)
	c.g.metrics.gaps.WithLabelValues(reason).Inc()
	if c.format == formatV1 {
		c.say(gapFrame{Type: "gap", Room: room, Reason: reason, After: int64(after / time.Millisecond)})
		return
	}
	at := c.g.now() + int64(after)
	if c.gapAt.CompareAndSwap(0, at) {
		c.g.wheel.schedule(c, at)
	}
}
