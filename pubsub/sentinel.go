package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

// sentinels is a place that is where more than half of the configured Sentinels say that the master is. Fewer prove
// nothing: they may be cut off from the rest together with a master that was replaced.
type sentinels struct {
	access *access
	all    []*sentinel
	prober *prober

	flight singleflight.Group // one question at a time, whose answer is for all who ask meanwhile

	open   context.Context // until close
	end    context.CancelFunc
	asking sync.WaitGroup // each Sentinel that is asked; over soon after close
}

// A sentinel is one of them.
type sentinel struct {
	client *redis.SentinelClient
	busy   atomic.Bool // it was asked and has not answered, so it is not asked again
	well   atomic.Bool // it answered the last time
}

var errFewSentinels = errors.New("too few Sentinels answer to be believed")

func newSentinels(a *access) *sentinels {
	p := &sentinels{access: a}
	p.open, p.end = context.WithCancel(context.Background())
	for _, addr := range a.url.Addrs {
		s := server{addr: addr}
		ro := a.options()
		ro.Addr, ro.PoolSize = addr, 1
		ro.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, s) }
		ro.CredentialsProviderContext = func(context.Context) (user, password string, err error) {
			password, err = passwordNow(a.o.SentinelPasswordFile, a.o.SentinelPassword)
			return a.o.SentinelUsername, password, err
		}
		p.all = append(p.all, &sentinel{client: redis.NewSentinelClient(ro)})
	}
	p.prober = newProber(a, func() *redis.Client { return newPool(a, p, 1, 0) })
	return p
}

// An opinion is what one Sentinel answered.
type opinion struct {
	master string // host:port; empty if it knows no master of that name
	err    error  // there is no answer
}

func (s *sentinel) ask(ctx context.Context, master string) (o opinion) {
	defer s.busy.Store(false)
	defer func() { s.well.Store(o.err == nil) }()
	addr, err := s.client.GetMasterAddrByName(ctx, master).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return opinion{}
	case err != nil:
		return opinion{err: err}
	case len(addr) != 2:
		return opinion{err: fmt.Errorf("a Sentinel answered with %d fields, and not with host and port", len(addr))}
	}
	return opinion{master: net.JoinHostPort(addr[0], addr[1])}
}

// master is what more than half of all Sentinels say. Whoever asks while they are being asked gets the same answer: after a
// failover all publishers ask at once.
func (p *sentinels) master(ctx context.Context) (server, error) {
	select {
	case r := <-p.flight.DoChan("", func() (any, error) { return p.askAll() }):
		return r.Val.(server), r.Err
	case <-ctx.Done():
		return server{}, ctx.Err()
	}
}

// askAll asks all Sentinels at once.
func (p *sentinels) askAll() (server, error) {
	ctx, cancel := context.WithTimeout(p.open, p.access.o.timeout())
	defer cancel()
	opinions := make(chan opinion, len(p.all))
	for _, s := range p.all {
		if s.busy.Swap(true) {
			opinions <- opinion{err: errors.New("it was asked before, and has not answered yet")}
			continue
		}
		p.asking.Go(func() { // ends in time, or with close
			ctx, cancel := context.WithTimeout(p.open, p.access.o.timeout()) // who has asked may not wait for the slowest
			defer cancel()
			opinions <- s.ask(ctx, p.access.url.Master)
		})
	}
	return p.count(ctx, opinions)
}

// count waits until more than half agree, or all have answered, or ctx ends.
func (p *sentinels) count(ctx context.Context, opinions <-chan opinion) (server, error) {
	quorum := len(p.all)/2 + 1
	votes := map[string]int{}
	answered, unknown := 0, 0
	var last error
	for range p.all {
		select {
		case o := <-opinions:
			switch {
			case o.err != nil:
				last = o.err
				continue
			case o.master == "":
				unknown++
			default:
				votes[o.master]++
			}
			answered++
			if votes[o.master] >= quorum {
				return server{addr: o.master}, nil
			}
		case <-ctx.Done():
			last = ctx.Err()
		}
	}
	switch {
	case answered < quorum:
		return server{}, fmt.Errorf("%w, %d of %d: %w", errFewSentinels, answered, len(p.all), last)
	case unknown >= quorum:
		return server{}, errors.New("the Sentinels know no master of the name in redis.url")
	default:
		return server{}, errors.New("the Sentinels do not agree on which server is the master")
	}
}

// well is how many Sentinels answered when they were asked last.
func (p *sentinels) well() int {
	n := 0
	for _, s := range p.all {
		if s.well.Load() {
			n++
		}
	}
	return n
}

func (p *sentinels) pick(ctx context.Context) (server, error) { return p.master(ctx) }
func (p *sentinels) failed(server)                            {}
func (p *sentinels) choices() int                             { return 1 }

func (p *sentinels) watch(ctx context.Context, w watched) (ending, bool) {
	few := false
	return watchRole(ctx, p.access, w, func(ctx context.Context, _ *redis.Client) (ending, bool) {
		s, err := p.master(ctx)
		switch {
		case err == nil && s.addr != w.server.addr:
			return ending{reasonDemoted, fmt.Errorf("the Sentinels name another master, %v instead of %v", s, w.server)}, true
		case err != nil && ctx.Err() == nil:
			// No proof of anything: Redis may be well, and to leave it would cost every room a gap.
			w.blame(err)
			if !few {
				w.log.Warn("redis sentinels do not say where the master is, and so the connection stays", slog.Any("error", err))
			}
		case few:
			w.log.Info("redis sentinels answer again")
		}
		few = err != nil
		return ending{}, false
	})
}

func (p *sentinels) canaries(watched) canaries {
	return lasting{p.prober}
}

func (p *sentinels) keyed(db int) redis.UniversalClient {
	return newPool(p.access, p, 0, db)
}

func (p *sentinels) found(ctx context.Context) string {
	s, err := p.master(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v, named by the majority of %d Sentinels", s, len(p.all))
}

func (p *sentinels) close() {
	p.prober.close()
	p.end()
	for _, s := range p.all {
		s.client.Close()
	}
	p.asking.Wait()
}
