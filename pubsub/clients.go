package pubsub

import (
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// clients are one client for each of some nodes of a Cluster, made when it is first asked for.
type clients struct {
	access *access
	size   int // connections to each node at most; 0 means go-redis's default

	mu     sync.Mutex
	byAddr map[string]*redis.Client
	closed bool
}

func newClients(a *access, size int) *clients {
	return &clients{access: a, size: size, byAddr: make(map[string]*redis.Client)}
}

// at is the client of the node at addr. It is not to be closed.
func (c *clients) at(addr string) (*redis.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	client := c.byAddr[addr]
	if client == nil {
		client = c.access.poolOf(server{addr: addr}, c.size)
		c.byAddr[addr] = client
	}
	return client, nil
}

// keep closes the clients of all but these.
func (c *clients) keep(addrs []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, client := range c.byAddr {
		if !slices.Contains(addrs, addr) {
			client.Close()
			delete(c.byAddr, addr)
		}
	}
}

// drop closes the client of addr, so that the next is a new one, which goes wherever the name leads then.
func (c *clients) drop(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if client := c.byAddr[addr]; client != nil {
		client.Close()
		delete(c.byAddr, addr)
	}
}

func (c *clients) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.keep(nil)
}
