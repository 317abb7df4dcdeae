package pubsub

import (
	"cmp"
	"context"
	"errors"
	"net"
	"time"

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

	// canaries are for one link.
	canaries(w watched) canaries

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

// dialPlace dials p's server of the moment, and the others in turn if that fails. All of it takes what ctx has left, or
// Options.Timeout, of which each gets its share: one that does not answer leaves time for the next.
func dialPlace(ctx context.Context, a *access, p place) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, a.o.timeout())
	defer cancel()
	end, _ := ctx.Deadline()
	var first error
	for left := p.choices(); left > 0 && ctx.Err() == nil; left-- {
		conn, err := dialNext(ctx, a, p, time.Until(end)/time.Duration(left))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, cmp.Or(first, ctx.Err())
}

// dialNext dials p's server of the moment, for limit at most. One that did not do is passed over the next time.
func dialNext(ctx context.Context, a *access, p place, limit time.Duration) (conn net.Conn, err error) {
	turn := a.conns.now()
	s, err := p.pick(ctx)
	if err != nil {
		return nil, err
	}
	err = within(ctx, limit, func(ctx context.Context) error {
		conn, err = a.dialKept(ctx, s, turn)
		return err
	})
	if err != nil && !errors.Is(err, errMovedOn) && !errors.Is(ctx.Err(), context.Canceled) { // whoever asked may have lost patience: that is not s's fault
		p.failed(s)
	}
	return conn, err
}
