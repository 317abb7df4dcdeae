package pubsub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// cluster is a place that is any master of a Cluster: what is published at one node reaches every other over the
// Cluster's bus. Publishers use the link's node, so that what one of them publishes stays in order. Canaries go
// through the other masters, so that a node which the bus does not reach from one of them is found by their absence.
type cluster struct {
	access *access
	survey *survey // its clients are for canaries and the watch, too

	mu      sync.Mutex
	masters []string   // that own slots, as last learnt; empty before
	chosen  string     // for links and publishers; empty: not yet
	avoid   string     // what failed last
	asked   int        // which of the others was asked last for its view
	deaf    []deafness // one for each node, oldest first, at most deafTries
}

func newCluster(a *access) *cluster {
	return &cluster{access: a, survey: newSurvey(a)}
}

// learn remembers the masters of a table that is to be believed.
func (p *cluster) learn(table *slotTable) {
	p.survey.learn(table)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.masters = table.masters
	p.deaf = slices.DeleteFunc(p.deaf, func(d deafness) bool { // what others do not call a master is not needed
		return !slices.Contains(p.masters, d.node) || !slices.Contains(p.masters, d.missing)
	})
}

// lookAgain asks which masters there are, since none of those that were known takes a canary. An answer that comes later
// than ctx ends is for the next.
func (p *cluster) lookAgain(ctx context.Context) {
	_, _, _ = p.survey.look(ctx)
	if table := p.survey.last(); table != nil {
		p.learn(table)
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
	table, _, err := p.survey.look(ctx)
	if err != nil {
		return server{}, err
	}
	p.learn(table)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.chosen == "" { // nobody was faster
		masters := p.masters
		if others := without(masters, p.avoid); len(others) > 0 {
			masters = others
		}
		if others := p.hearing(masters); len(others) > 0 {
			masters = others
			if i := len(p.deaf) - 1; i >= 0 && slices.Contains(others, p.deaf[i].missing) {
				masters = []string{p.deaf[i].missing} // it hears itself, which maybe no other does
			}
		}
		p.chosen = masters[rand.IntN(len(masters))]
	}
	return server{addr: p.chosen}, nil
}

func (p *cluster) failed(s server) {
	p.mu.Lock()
	last := p.chosen == s.addr
	if last {
		p.chosen, p.avoid = "", s.addr
	}
	p.mu.Unlock()
	if last {
		p.survey.unfollow(s.addr)
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
	table, _, err := p.survey.look(ctx)
	if err != nil {
		return err.Error()
	}
	found := fmt.Sprintf("%d masters: %s", len(table.masters), strings.Join(table.masters, ", "))
	if c, err := p.survey.clients.at(table.masters[0]); err == nil {
		if _, refused := p.state(ctx, table.masters[0], c); refused != nil {
			found += "; " + refused.Error()
		}
	}
	return found
}

func (p *cluster) close() { p.survey.close() }
