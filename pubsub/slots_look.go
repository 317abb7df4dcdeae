package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

// lookAt is how many nodes are asked for the slot table: more than one, so that a node which is cut off from the
// others is outvoted, and not all, so that many replicas of the gateway do not keep a large Cluster busy.
const lookAt = 5

// A survey asks nodes of a Cluster for its slot table, over one connection to each, which stays.
type survey struct {
	access  *access
	clients *clients           // of nodes that the URL or the table names
	flight  singleflight.Group // one look at a time, whose result is for all who look meanwhile

	open   context.Context // until close
	end    context.CancelFunc
	asking sync.WaitGroup // each look, and each node that is asked; over soon after close

	mu     sync.Mutex
	table  *slotTable          // what was learnt last; nil before the first
	busy   map[string]struct{} // nodes that were asked and have not answered, so they are not asked again
	closed bool
}

func newSurvey(a *access) *survey {
	s := &survey{access: a, clients: newClients(a, 1), busy: make(map[string]struct{})}
	s.open, s.end = context.WithCancel(context.Background())
	return s
}

// A look is what the nodes that were asked said.
type look struct {
	table  *slotTable
	agreed bool // those that answered said the same
}

// look asks some nodes for the slot table, at random among all that are known, and returns what most of those that
// answer say; at a tie, what was known before. Who looks while they are being asked gets the same.
func (s *survey) look(ctx context.Context) (table *slotTable, agreed bool, err error) {
	select {
	case r := <-s.flight.DoChan("", func() (any, error) { return s.lookOnce() }):
		seen := r.Val.(look)
		return seen.table, seen.agreed, r.Err
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
}

// An answer is what one node said.
type answer struct {
	table *slotTable
	err   error
}

func (s *survey) lookOnce() (look, error) {
	if !s.enter() {
		return look{}, ErrClosed
	}
	defer s.asking.Done()
	nodes := s.known()
	s.clients.keep(nodes)
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	nodes = nodes[:min(lookAt, len(nodes))]

	// A node that is stopped must not hold up what the others say, nor what is asked next.
	limit := min(s.access.o.timeout(), s.access.o.canaryTimeout())
	answers := make(chan answer, len(nodes))
	for _, addr := range nodes {
		if !s.begin(addr) {
			answers <- answer{err: fmt.Errorf("asking %s for CLUSTER SLOTS: it was asked before, and has not answered yet", addr)}
			continue
		}
		s.asking.Go(func() { // ends in time, or with close
			defer s.done(addr)
			table, err := s.ask(s.open, addr, limit)
			answers <- answer{table, err}
		})
	}
	seen, err := s.count(answers, len(nodes))
	if err == nil {
		s.learn(seen.table)
	}
	return seen, err
}

// count waits until most of all say the same, or all have answered.
func (s *survey) count(answers <-chan answer, all int) (look, error) {
	known := s.last()
	var views []*slotTable
	votes := make(map[*slotTable]int)
	answered := 0
	var errs []error
	for range all {
		a := <-answers
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		answered++
		view := a.table
		if i := slices.IndexFunc(views, view.same); i >= 0 {
			view = views[i]
		} else {
			views = append(views, view)
		}
		if votes[view]++; 2*votes[view] > all {
			return look{view, answered == votes[view]}, nil
		}
	}
	var most *slotTable
	for _, view := range views {
		if most == nil || votes[view] > votes[most] || votes[view] == votes[most] && known != nil && view.same(known) {
			most = view
		}
	}
	if most == nil {
		return look{}, errors.Join(errs...)
	}
	return look{most, len(views) == 1}, nil
}

// ask asks the node at addr, for limit at most.
func (s *survey) ask(ctx context.Context, addr string, limit time.Duration) (table *slotTable, err error) {
	err = within(ctx, limit, func(ctx context.Context) error {
		return s.clients.use(addr, func(client *redis.Client) error {
			ranges, err := client.ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS, which it names instead, is of Redis 7.0 or newer
			if err == nil {
				table = newSlotTable(addr, ranges)
			}
			return err
		})
	})
	switch {
	case isRefusal(err):
		return nil, fmt.Errorf("asking %s for CLUSTER SLOTS: %w: allow it by +cluster|slots", addr, err)
	case err != nil:
		return nil, fmt.Errorf("asking %s for CLUSTER SLOTS: %w", addr, err)
	case len(table.masters) == 0:
		return nil, fmt.Errorf("asking %s for CLUSTER SLOTS: it knows of no master with slots: it is not part of a Cluster yet", addr)
	}
	return table, nil
}

// enter counts one more look. False: it is too late for that.
func (s *survey) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.asking.Add(1)
	}
	return !s.closed
}

// begin notes that addr is being asked. False: it is already.
func (s *survey) begin(addr string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, busy := s.busy[addr]; busy {
		return false
	}
	s.busy[addr] = struct{}{}
	return true
}

func (s *survey) done(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, addr)
}

// known are the nodes worth asking, each once.
func (s *survey) known() []string {
	nodes := slices.Clone(s.access.url.Addrs)
	if table := s.last(); table != nil {
		nodes = append(nodes, table.nodes...)
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

func (s *survey) last() *slotTable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table
}

// learn takes over a table that is to be believed, and closes what leads to nodes that are none any more.
func (s *survey) learn(table *slotTable) {
	s.mu.Lock()
	s.table = table
	s.mu.Unlock()
	s.clients.keep(s.known())
}

// unfollow closes what leads to addr, and to the names in the URL, of which one may mean the same.
func (s *survey) unfollow(addr string) {
	s.clients.drop(append(slices.Clone(s.access.url.Addrs), addr)...)
}

// close ends all that is being asked, and every connection.
func (s *survey) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.clients.close() // go-redis knows deadlines only
	s.asking.Wait()
}
