package pubsub

import (
	"context"
	"net"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// A router publishes each message of sharded pub/sub at the master that owns its channel's slot. go-redis's own
// client of a Cluster either does not follow a slot that moved, or sends again what may have arrived.
type router struct {
	s    *shards
	size int // connections to each master at most; 0 means go-redis's default

	mu      sync.Mutex
	clients map[string]*redis.Client // by address
	closed  bool
}

func newRouter(s *shards, size int) *router {
	return &router{s: s, size: size, clients: make(map[string]*redis.Client)}
}

// maxMoves is how often a message is sent on to where an answer says that its slot is.
const maxMoves = 3

// publish returns how many subscribers had payload. After an error but MOVED it may have arrived or not.
func (r *router) publish(ctx context.Context, channel string, payload any) (receivers int64, err error) {
	addr, err := r.s.ownerOf(ctx, channel)
	if err != nil {
		return 0, err
	}
	for range 1 + maxMoves {
		var client *redis.Client
		if client, err = r.client(addr); err != nil {
			return 0, err
		}
		receivers, err = client.SPublish(ctx, channel, payload).Result()
		to, moved := redis.IsMovedError(err)
		if !moved {
			return receivers, err
		}
		r.s.hint()
		addr = besides(addr, to)
	}
	return 0, err
}

// besides is the address to as the node at addr means it, which leaves out a host that is its own.
func besides(addr, to string) string {
	if host, port, err := net.SplitHostPort(to); err == nil && host == "" {
		own, _, _ := net.SplitHostPort(addr)
		return net.JoinHostPort(own, port)
	}
	return to
}

func (r *router) client(addr string) (*redis.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	c := r.clients[addr]
	if c == nil {
		c = r.s.b.access.poolOf(server{addr: addr}, r.size)
		r.clients[addr] = c
	}
	return c, nil
}

// keep closes the clients of all but masters.
func (r *router) keep(masters []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr, c := range r.clients {
		if !slices.Contains(masters, addr) {
			c.Close()
			delete(r.clients, addr)
		}
	}
}

func (r *router) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.keep(nil)
}
