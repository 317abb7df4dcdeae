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
	mu    sync.Mutex // guards what follows
	pace  pace
	given int64 // nanoseconds of turns that were given back, in all
}

// A turn is one upgrade's share of the bucket: the last interval before end, or before what was given back since has
// made of it.
type turn struct{ end, given int64 }

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
func (c *connects) take(l paceLimit, now int64) (t turn, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ok = c.pace.allow(l, now)
	return turn{c.pace.emptyAt, c.given}, ok
}

// giveBack undoes a take, but for what time has given back of that turn by now: what is over is over, or twice the burst could
// come at once. Other turns that were given back since count as if all had been before this one, so that it is never too much.
func (c *connects) giveBack(l paceLimit, t turn, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := t.end - (c.given - t.given)
	if left := min(int64(l.interval), end-now); left > 0 {
		c.pace.emptyAt -= left
		c.given += left
	}
}

// authorizeInTurn is authorize, if there is a turn for the request. It is asked for last of all
// before the token: whoever was refused until now has used up none, and what follows is what costs.
func (g *Gateway) authorizeInTurn(o *offer, r *http.Request) *httpRefusal {
	limit := g.opts().connectLimit
	turn, took := g.connects.take(limit, g.now())
	if !took && g.exceeded(limitConnects, o.who.addr) {
		return unavailable(limitConnects, "this node lets in no more connections at this moment: try again later")
	}
	refused := g.authorize(o, r)
	if took && (refused != nil || o.ending != nil) {
		g.connects.giveBack(limit, turn, g.now())
	}
	return refused
}
