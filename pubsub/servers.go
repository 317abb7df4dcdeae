package pubsub

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// servers is a place that is one service at one or several addresses: of redis:// and unix://. A name may come to
// mean another server, so a link is watched at the address that it has, and canaries are published by name.
type servers struct {
	access *access
	prober *prober

	mu   sync.Mutex
	next int // index of the address in use
}

func newServers(a *access) *servers {
	p := &servers{access: a}
	p.prober = newProber(a, func() *redis.Client { return newPool(a, p, 1, 0) })
	return p
}

func (p *servers) pick(context.Context) (server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return server{addr: p.access.url.Addrs[p.next]}, nil
}

func (p *servers) failed(s server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if addrs := p.access.url.Addrs; addrs[p.next] == s.addr {
		p.next = (p.next + 1) % len(addrs)
	}
}

func (p *servers) choices() int { return len(p.access.url.Addrs) }

func (p *servers) watch(ctx context.Context, w watched) (ending, bool) {
	return watchRole(ctx, p.access, w, nil)
}

func (p *servers) canaries(watched) canaries {
	return lasting{p.prober}
}

func (p *servers) keyed(db int) redis.UniversalClient {
	return newPool(p.access, p, 0, db)
}

func (p *servers) found(ctx context.Context) string {
	s, _ := p.pick(ctx)
	if n := len(p.access.url.Addrs); n > 1 {
		return fmt.Sprintf("%v, of %d addresses", s, n)
	}
	return s.addr
}

func (p *servers) close() { p.prober.close() }
