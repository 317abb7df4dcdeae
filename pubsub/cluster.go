package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// cluster is a place that is any master of a Cluster: what is published at one node reaches every other over the
// Cluster's bus. Publishers use the link's node, so that what one of them publishes stays in order. Canaries go
// through the other masters, so that a node which the bus does not reach is found by their absence.
type cluster struct {
	access *access

	mu      sync.Mutex
	masters []string                 // that own slots, as last learnt; empty before
	chosen  string                   // for links and publishers; empty: not yet
	avoid   string                   // what failed last
	clients map[string]*redis.Client // of each of masters that a canary went through, or that was asked
	canary  int                      // through which of the others the last canary went
	asked   int                      // which of the others was asked last for its view
	closed  bool
}

func newCluster(a *access) *cluster {
	return &cluster{access: a, clients: map[string]*redis.Client{}}
}

// slots asks nodes that are known, and then those of the URL, until one knows the Cluster.
func (p *cluster) slots(ctx context.Context) ([]redis.ClusterSlot, error) {
	var first error
	for _, addr := range p.nodes() {
		slots, err := p.slotsOf(ctx, addr)
		if err == nil {
			return slots, nil
		}
		if first == nil {
			first = fmt.Errorf("asking %s for the Cluster's slots: %w", addr, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// nodes are those worth asking, each once: the masters in any order, and those of the URL.
func (p *cluster) nodes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	nodes := slices.Clone(p.masters)
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	for _, seed := range p.access.url.Addrs {
		if !slices.Contains(nodes, seed) {
			nodes = append(nodes, seed)
		}
	}
	return nodes
}

// slotsOf is what the node at addr says of the Cluster. It may leave its own host out.
func (p *cluster) slotsOf(ctx context.Context, addr string) (slots []redis.ClusterSlot, err error) {
	c, done := p.clientAt(addr)
	defer done()
	err = within(ctx, p.access.o.timeout(), func(ctx context.Context) error {
		slots, err = c.ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS, which it names instead, is of Redis 7.0 or newer
		return err
	})
	if err != nil {
		return nil, err
	}
	own, _, _ := net.SplitHostPort(addr)
	for _, slot := range slots {
		for i, node := range slot.Nodes {
			if host, port, err := net.SplitHostPort(node.Addr); err == nil && (host == "" || host == "?") {
				slot.Nodes[i].Addr = net.JoinHostPort(own, port)
			}
		}
	}
	if len(mastersOf(slots)) == 0 {
		return nil, errors.New("it knows of no slot: it is not part of a Cluster yet")
	}
	return slots, nil
}

// mastersOf are the masters in slots, each once.
func mastersOf(slots []redis.ClusterSlot) []string {
	var masters []string
	for _, slot := range slots {
		if len(slot.Nodes) > 0 && !slices.Contains(masters, slot.Nodes[0].Addr) {
			masters = append(masters, slot.Nodes[0].Addr)
		}
	}
	return masters
}

// clientAt is a client of a node. It is kept if the node is a known master; done closes any other.
func (p *cluster) clientAt(addr string) (c *redis.Client, done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.clients[addr]; c != nil {
		return c, func() {}
	}
	c = p.access.clientOf(server{addr: addr})
	if p.closed || !slices.Contains(p.masters, addr) {
		return c, func() { c.Close() }
	}
	p.clients[addr] = c
	return c, func() {}
}

// learn remembers masters, and drops the clients of what is none any more.
func (p *cluster) learn(masters []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.masters = masters
	for addr, c := range p.clients {
		if !slices.Contains(masters, addr) {
			c.Close()
			delete(p.clients, addr)
		}
	}
}

// pick is the master that was chosen, or one at random that did not fail just now.
func (p *cluster) pick(ctx context.Context) (server, error) {
	p.mu.Lock()
	chosen := p.chosen
	p.mu.Unlock()
	if chosen != "" {
		return server{addr: chosen}, nil
	}
	slots, err := p.slots(ctx)
	if err != nil {
		return server{}, err
	}
	masters := mastersOf(slots)
	p.learn(masters)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chosen == "" { // nobody was faster
		if others := without(masters, p.avoid); len(others) > 0 {
			masters = others
		}
		p.chosen = masters[rand.IntN(len(masters))]
	}
	return server{addr: p.chosen}, nil
}

func (p *cluster) failed(s server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chosen == s.addr {
		p.chosen, p.avoid = "", s.addr
	}
}

func (p *cluster) choices() int { return 2 }

// others are the masters but s, beginning with the one after turn, to which it sets that; if there are none, s.
func (p *cluster) others(s server, turn *int) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	others := without(p.masters, s.addr)
	if len(others) == 0 {
		return []string{s.addr}
	}
	*turn = (*turn + 1) % len(others)
	return slices.Concat(others[*turn:], others[:*turn])
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func (p *cluster) found(ctx context.Context) string {
	slots, err := p.slots(ctx)
	if err != nil {
		return err.Error()
	}
	masters := mastersOf(slots)
	return fmt.Sprintf("%d masters: %s", len(masters), strings.Join(masters, ", "))
}

func (p *cluster) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.clients {
		c.Close()
	}
	clear(p.clients)
}
