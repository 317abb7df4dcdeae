package pubsub

import "slices"

// A deafness is a node to which the bus did not bring what was published at a master.
type deafness struct{ node, missing string }

// deafTries is at how many nodes, one after the other, a link may be deaf before it is taken for the Cluster's own
// trouble, which no other node cures.
const deafTries = 3

// deafAt notes that what is published at missing does not come to node. It reports whether there is another to try.
func (p *cluster) deafAt(node, missing string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = slices.DeleteFunc(p.deaf, func(d deafness) bool { return d.node == node })
	p.deaf = append(p.deaf, deafness{node, missing})
	if len(p.deaf) >= deafTries {
		p.deaf = p.deaf[len(p.deaf)-deafTries:]
		return false
	}
	return len(p.hearing(p.masters)) > 0
}

// heard notes that node hears missing after all.
func (p *cluster) heard(node, missing string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = slices.DeleteFunc(p.deaf, func(d deafness) bool { return d == deafness{node, missing} })
}

// hears forgets deaf nodes, since a link was well for long enough.
func (p *cluster) hears() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = nil
}

func (p *cluster) deafNow() []deafness {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.deaf)
}

// hearing are those of masters that were not found deaf. mu is held.
func (p *cluster) hearing(masters []string) []string {
	return slices.DeleteFunc(slices.Clone(masters), func(addr string) bool {
		return slices.ContainsFunc(p.deaf, func(d deafness) bool { return d.node == addr })
	})
}
