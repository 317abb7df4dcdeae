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

// use calls do with the client of the node at addr, and closes that if there was no answer: go-redis dials a node that
// it cannot reach again each second, whether anybody asks or not.
func (c *clients) use(addr string, do func(*redis.Client) error) error {
	client, err := c.at(addr)
	if err != nil {
		return err
	}
	if err = do(client); err != nil && !isReply(err) {
		c.closeIf(func(_ string, other *redis.Client) bool { return other == client })
	}
	return err
}

// renew calls do with a new client of the node at addr, which takes the place of the one there is if that worked.
func (c *clients) renew(addr string, do func(*redis.Client) error) error {
	next := c.access.poolOf(server{addr: addr}, c.size)
	if err := do(next); err != nil {
		next.Close()
		return err
	}
	c.mu.Lock()
	old := c.byAddr[addr]
	if c.closed {
		old = next
	} else {
		c.byAddr[addr] = next
	}
	c.mu.Unlock()
	if old != nil {
		old.Close()
	}
	return nil
}

// keep closes the clients of all but these.
func (c *clients) keep(addrs []string) {
	c.closeIf(func(addr string, _ *redis.Client) bool { return !slices.Contains(addrs, addr) })
}

// drop closes the clients of addrs, so that the next are new ones, which go wherever the names lead then.
func (c *clients) drop(addrs ...string) {
	c.closeIf(func(addr string, _ *redis.Client) bool { return slices.Contains(addrs, addr) })
}

// closeIf closes the clients for which over holds. Under TLS that may take a while.
func (c *clients) closeIf(over func(addr string, client *redis.Client) bool) {
	var old []*redis.Client
	c.mu.Lock()
	for addr, client := range c.byAddr {
		if over(addr, client) {
			old = append(old, client)
			delete(c.byAddr, addr)
		}
	}
	c.mu.Unlock()
	for _, client := range old {
		client.Close()
	}
}

func (c *clients) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.keep(nil)
}
