package gateway

import (
	"math/rand/v2"
	"time"
)

// visit does what is due for c at now, and returns when to come again. The wheel calls it,
// from one goroutine, for all connections.
func (g *Gateway) visit(c *conn, now int64) (next int64) {
	if by := c.closeBy.Load(); by != 0 {
		if now >= by {
			c.kill()
			return now + int64(time.Hour) // its reader takes it out
		}
		return by
	}
	next = min(c.heartbeat(now), c.expiry(now), c.age(now))
	if at := c.gapAt.Load(); at != 0 {
		if now >= at {
			c.end(endGap)
		}
		next = min(next, max(at, now+1))
	}
	if c.session.Load() == nil {
		by := c.client.start + int64(g.opts().AuthTimeout)
		if now >= by {
			g.authFailed(c.client.addr, "timeout")
			c.end(endAuthTimeout)
		}
		next = min(next, max(by, now+1))
	}
	if by := c.closeBy.Load(); by != 0 {
		return by
	}
	return next
}

// heartbeat sends a ping when it is due, and ends the connection that gives no sign of life
// afterwards. Any whole frame counts as life. So does our being busy with one.
func (c *conn) heartbeat(now int64) (next int64) {
	switch {
	case c.pingAt == 0: // its first visit
		c.pingAt = now + c.g.pingDelay()
	case c.pongBy != 0 && c.lastLife.Load() >= c.pongBy-int64(c.g.opts().PongTimeout):
		c.pongBy = 0
	case c.pongBy != 0 && now >= c.pongBy && !c.handling.Load():
		c.g.metrics.heartbeatsMissed.Inc()
		c.end(endNoPong)
	}
	if c.pongBy == 0 && now >= c.pingAt {
		c.sayFrame(pingFrame)
		c.pongBy = now + int64(c.g.opts().PongTimeout)
		c.pingAt = now + c.g.pingDelay()
	}
	if c.pongBy != 0 {
		return max(min(c.pongBy, c.pingAt), now+1)
	}
	return c.pingAt
}

// age ends the connection at its maximum age, so that clients spread over the nodes there are.
func (c *conn) age(now int64) (next int64) {
	most := int64(c.g.opts().ConnectionAge)
	if most == 0 {
		return now + int64(time.Hour)
	}
	if c.endAt == 0 {
		c.endAt = c.client.start + most - most/10 + rand.Int64N(most/5+1)
	}
	if now >= c.endAt {
		c.bye(endAge)
	}
	return max(c.endAt, now+1)
}

// pingDelay draws the time to the next ping: the interval, 10 % more or less, so that
// connections that began together do not go on together.
func (g *Gateway) pingDelay() int64 {
	d := int64(g.opts().PingInterval)
	return d - d/10 + rand.Int64N(d/5+1)
}

// expiry warns of the token's expiry, and ends the connection when that, and the leeway, is over.
func (c *conn) expiry(now int64) (next int64) {
	s := c.session.Load()
	if s == nil {
		return now + int64(time.Hour)
	}
	end := s.exp + int64(s.grant.Leeway)
	if now >= end {
		c.end(endExpired)
		return end
	}
	warn := s.exp - int64(c.g.opts().Expiring)
	if c.format != formatV1 || c.g.opts().Expiring == 0 || c.warned == s.exp {
		return end
	}
	if now < warn {
		return warn
	}
	if !c.greeted.Load() { // not before hello
		return min(end, now+int64(time.Second))
	}
	c.warned = s.exp
	if in := s.exp - now; in > 0 { // else it was admitted within the leeway: there is nothing to warn of
		c.say(expiringFrame{Type: "expiring", In: int64(time.Duration(in).Round(time.Second) / time.Second)})
	}
	return end
}
