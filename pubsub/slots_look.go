package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// lookAt is how many nodes are asked for the slot table: more than one, so that a node which is cut off from the
// others is outvoted, and not all, so that many replicas of the gateway do not keep a large Cluster busy.
const lookAt = 5

// look asks some nodes for the slot table, at random among all that are known, and returns what most of those that
// answer say; at a tie, the current one. agreed: those that answered said the same.
func (s *shards) look(ctx context.Context) (table *slotTable, agreed bool, err error) {
	current := s.current()
	nodes := slices.Clone(s.b.access.url.Addrs)
	if current != nil {
		nodes = append(nodes, current.nodes...)
	}
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	nodes = nodes[:min(lookAt, len(nodes))]

	// A node that is stopped must not hold up what the others say.
	ctx, cancel := context.WithTimeout(ctx, min(s.b.o.timeout(), s.b.o.canaryTimeout()))
	type answer struct {
		table *slotTable
		err   error
	}
	answers := make(chan answer, len(nodes))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel() // ends them
	for _, addr := range nodes {
		asking.Go(func() {
			table, err := s.b.askSlots(ctx, addr)
			answers <- answer{table, err}
		})
	}
	var views []*slotTable
	votes := make(map[*slotTable]int)
	answered := 0
	for range nodes {
		a := <-answers
		if a.err != nil {
			err = errors.Join(err, a.err)
			continue
		}
		answered++
		view := a.table
		if i := slices.IndexFunc(views, view.same); i >= 0 {
			view = views[i]
		} else {
			views = append(views, view)
		}
		if votes[view]++; 2*votes[view] > len(nodes) {
			return view, answered == votes[view], nil
		}
	}
	for _, view := range views {
		if table == nil || votes[view] > votes[table] || votes[view] == votes[table] && current != nil && view.same(current) {
			table = view
		}
	}
	if table == nil {
		return nil, false, err
	}
	return table, len(views) == 1, nil
}

// askSlots asks the node at addr for its slot table. It has a connection of its own for that.
func (b *Broker) askSlots(ctx context.Context, addr string) (*slotTable, error) {
	client := b.access.clientOf(server{addr: addr})
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })() // go-redis knows deadlines only
	ranges, err := client.ClusterSlots(ctx).Result()          //nolint:staticcheck // one right, +cluster|slots, is enough for both ways to use a Cluster
	if err != nil {
		if _, said := errors.AsType[redis.Error](err); said && isRefusal(err) {
			err = fmt.Errorf("%w: allow it by +cluster|slots", err)
		}
		return nil, fmt.Errorf("asking %s for CLUSTER SLOTS: %w", addr, err)
	}
	table := newSlotTable(addr, ranges)
	if len(table.masters) == 0 {
		return nil, fmt.Errorf("asking %s for CLUSTER SLOTS: it knows of no master with slots", addr)
	}
	return table, nil
}
