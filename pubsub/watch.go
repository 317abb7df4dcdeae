package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// A watched is a link, as its place sees it.
type watched struct {
	server server
	remote net.Addr    // where the link's connection leads, whatever server's name means by now
	blame  func(error) // what to answer, should canaries cease to prove
	log    *slog.Logger
}

// witness makes a client of the very server that the link is connected to.
func (a *access) witness(w watched) *redis.Client {
	s := w.server
	if tcp, ok := w.remote.(*net.TCPAddr); ok {
		if s.name == "" {
			s.name, _, _ = net.SplitHostPort(s.addr)
		}
		s.addr = tcp.String()
	}
	return a.clientOf(s)
}

// watchRole ends a link whose server became a replica, which it asks every canary interval, and once more asks of
// also, if there is one. What cannot be asked is left to the canary.
func watchRole(ctx context.Context, a *access, w watched, also func(ctx context.Context, witness *redis.Client) (ending, bool)) (ending, bool) {
	witness := a.witness(w)
	defer witness.Close()
	defer context.AfterFunc(ctx, func() { witness.Close() })() // go-redis reads on when ctx ends
	tick := time.NewTicker(a.o.canaryInterval())
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return ending{}, false
		case <-tick.C:
		}
		err := within(ctx, a.o.canaryInterval(), func(ctx context.Context) error { return checkRole(ctx, witness) })
		switch {
		case errors.Is(err, errReplica):
			return ending{reasonDemoted, fmt.Errorf("%v has become a replica", w.server)}, true
		case redis.IsAuthError(err) || errors.Is(err, errPassword):
			err = fmt.Errorf("no new connection to %v: %w", w.server, err)
			w.blame(err)
			if told != err.Error() {
				told = err.Error()
				w.log.Warn("redis accepts no new connection of this user", slog.Any("error", err))
			}
		case err == nil:
			told = ""
		}
		if also != nil {
			if e, over := also(ctx, witness); over {
				return e, true
			}
		}
	}
}

// within calls do with a context that ends after limit.
func within(ctx context.Context, limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return do(ctx)
}
