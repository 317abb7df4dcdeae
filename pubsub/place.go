package pubsub

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redisurl"
)

// A place is where Redis is, as one of the modes of a URL has it: at which server to subscribe, whether it is still
// the right one, and through which to publish. Its methods may be called from any goroutine.
type place interface {
	// pick is the server to use now, the same for links and publishers until failed is called.
	pick(ctx context.Context) (server, error)

	// failed says that s did not do, or does not any more, so that the next pick is another if there is one.
	failed(s server)

	// choices is how many servers may be worth trying in turn; at least 1.
	choices() int

	// watch looks after the server of a link until ctx ends, or until the link must end, which it returns.
	watch(ctx context.Context, w watched) (e ending, over bool)

	// publishCanary publishes to channel in the way that proves most for a link at s.
	publishCanary(ctx context.Context, s server, channel, payload string) error

	// keyed makes a client that finds keys of db wherever they are.
	keyed(db int) redis.UniversalClient

	// found says in a phrase what there is, for roomgate check.
	found(ctx context.Context) string

	// close ends what the place keeps open.
	close()
}

// newPlace makes the place that a's URL names.
func newPlace(a *access) place {
	switch a.url.Mode {
	case redisurl.Sentinel:
		return newSentinels(a)
	case redisurl.Cluster:
		return newCluster(a)
	default:
		return newServers(a)
	}
}

// newPool makes a client of p's server of the moment, of database db, with at most size connections; 0 means
// go-redis's default.
func newPool(a *access, p place, size, db int) *redis.Client {
	ro := a.options()
	ro.Addr = a.url.String() // for errors; dialPlace knows better
	ro.PoolSize, ro.DB = size, db
	ro.OnConnect = func(ctx context.Context, c *redis.Conn) error { return checkRole(ctx, c) }
	ro.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialPlace(ctx, a, p) }
	return redis.NewClient(ro)
}

// dialPlace dials p's server of the moment, and the others in turn if that fails.
func dialPlace(ctx context.Context, a *access, p place) (net.Conn, error) {
	var first error
	for range p.choices() {
		s, err := p.pick(ctx)
		if err == nil {
			var conn net.Conn
			if conn, err = a.dialKept(ctx, s); err == nil {
				return conn, nil
			}
			p.failed(s)
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}
