package gateway

import (
	"net/http"
	"sync"
	"time"
)

// connects paces upgrades, so that a node which has just come up, or whose neighbour has just
// gone, has CPU left for the connections it has. Whoever is refused later, for a bad token, gives
// its turn back: strangers do not use up the turns of the others.
type connects struct {
	mu   sync.Mutex // guards what follows
	pace pace
}

// perSecond returns the limit of n events a second, evenly: a tenth of them may come at once. n of
// 0 allows everything.
func perSecond(n int) paceLimit {
	if n <= 0 {
		return paceLimit{}
	}
	const slices = 10
	return paceLimit{interval: time.Second / time.Duration(n), burst: max(n/slices, 1)}
}

// take takes a turn, if there is one within l.
func (c *connects) take(l paceLimit, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pace.allow(l, now)
}

// giveBack undoes the take of the time at, unless time has given that turn back by now.
func (c *connects) giveBack(l paceLimit, at, now int64) {
	if now-at >= int64(l.interval)*int64(l.burst) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pace.emptyAt -= int64(l.interval)
}

// authorizeInTurn is authorize, if there is a turn for the request. It is asked for last of all
// before the token: whoever was refused until now has used up none, and what follows is what costs.
func (g *Gateway) authorizeInTurn(o *offer, r *http.Request) *httpRefusal {
	limit, at := g.opts().connectLimit, g.now()
	took := g.connects.take(limit, at)
	if !took && g.exceeded(limitConnects, o.who.addr) {
		return unavailable(limitConnects, "this node lets in no more connections at this moment: try again later")
	}
	refused := g.authorize(o, r)
	if took && (refused != nil || o.ending != nil) {
		g.connects.giveBack(limit, at, g.now())
	}
	return refused
}
