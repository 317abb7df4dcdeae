package pubsub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	turn    int                      // whose turn it is among the others
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
		slots, err = c.ClusterSlots(ctx).Result()
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
	if len(slots) == 0 {
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

// others are the masters but s, beginning with whose turn it is; if there are none, s.
func (p *cluster) others(s server) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	others := without(p.masters, s.addr)
	if len(others) == 0 {
		return []string{s.addr}
	}
	p.turn = (p.turn + 1) % len(others)
	return append(others[p.turn:len(others):len(others)], others[:p.turn]...)
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

// canaryTries is how many masters a canary is tried to be published through, if they cannot be reached.
const canaryTries = 3

func (p *cluster) publishCanary(ctx context.Context, s server, channel, payload string) error {
	var err error
	others := p.others(s)
	for _, addr := range others[:min(canaryTries, len(others))] {
		c, done := p.clientAt(addr)
		err = c.Publish(ctx, channel, payload).Err()
		done()
		if err == nil || isReply(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// watch ends a link whose node became a replica, or is no master for others, or cannot reach enough of the Cluster while
// another node can.
func (p *cluster) watch(ctx context.Context, w watched) (ending, bool) {
	strikes, told := 0, false
	return watchRole(ctx, p.access, w, func(ctx context.Context, witness *redis.Client) (ending, bool) {
		view := p.look(ctx, w.server, witness)
		switch {
		case view.unknown != "":
			// One node may not have heard yet of a master that is new. Two have.
			if strikes++; strikes > 1 {
				return ending{reasonDemoted, fmt.Errorf("%v is no master for %s", w.server, view.unknown)}, true
			}
		case view.down && view.better != "":
			return ending{reasonDemoted, fmt.Errorf("%v cannot reach enough of the Cluster, and %s can", w.server, view.better)}, true
		case view.down:
			w.blame(errClusterDown)
			if !told {
				told = true
				w.log.Warn("redis cluster is down, and no better node can be reached", slog.Any("node", w.server))
			}
		default:
			strikes, told = 0, false
		}
		return ending{}, false
	})
}

var errClusterDown = errors.New("the Cluster is down (cluster_state:fail)")

// A view is what a look at the Cluster showed.
type view struct {
	unknown string // a node for which the link's is no master; empty: none said so
	down    bool   // the link's node says that the Cluster is down
	better  string // another, for which it is not; empty: none could be reached
}

// look asks the link's node for its state, and one of the others, whose turn it is, for its view. What does not
// answer says nothing.
func (p *cluster) look(ctx context.Context, s server, witness *redis.Client) (v view) {
	other := p.others(s)[0]
	var slots []redis.ClusterSlot
	_ = within(ctx, p.access.o.canaryInterval(), func(ctx context.Context) (err error) {
		slots, err = p.slotsOf(ctx, other)
		return err
	})
	otherUp := false
	if len(slots) > 0 && other != s.addr {
		c, done := p.clientAt(other)
		otherUp = p.state(ctx, c) == stateOK
		done()
	}
	if otherUp { // what a minority says does not count
		if masters := mastersOf(slots); slices.Contains(masters, s.addr) {
			p.learn(masters)
		} else {
			v.unknown = other
		}
	}
	if p.state(ctx, witness) == stateFail {
		v.down = true
		if otherUp {
			v.better = other
		}
	}
	return v
}

const (
	stateOK   = "ok"
	stateFail = "fail"
)

// state is the cluster_state that a node reports; empty if it does not.
func (p *cluster) state(ctx context.Context, c *redis.Client) string {
	info := ""
	_ = within(ctx, p.access.o.canaryInterval(), func(ctx context.Context) (err error) {
		info, err = c.ClusterInfo(ctx).Result()
		return err
	})
	_, after, _ := strings.Cut(info, "cluster_state:")
	state, _, _ := strings.Cut(after, "\r\n")
	return state
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
