package pubsub

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// shards are the masters of a Cluster with sharded pub/sub, each with the part that its link serves. A master
// has a link from when the slot table first names it until it no longer does, whether it has rooms or not:
// readiness rests on all of them, and the first room of a slot waits for no dial.
type shards struct {
	b       *Broker
	nowhere *part         // of the rooms whose slot nobody owns; it has no link
	control *part         // of the control channel; nil if there is none
	hints   chan struct{} // capacity 1: the table may be old
	survey  *survey

	publisher *router

	mu      sync.Mutex
	table   *slotTable // nil before the first
	parts   []*part    // of table.masters, in their order
	trouble error      // why there is no table yet
}

// controlGrace is how many canary timeouts the control channel's link may be away before Ready says so. It may go
// to any node, so one that died costs it a reconnect, which is not worth a replica's readiness.
const controlGrace = 10

func newShards(b *Broker, survey *survey) *shards {
	s := &shards{b: b, nowhere: newPart("none", b.o.canaryTimeout()), hints: make(chan struct{}, 1), survey: survey, trouble: errors.New("not asked yet")}
	s.publisher = newRouter(s)
	if b.o.ControlChannel != "" {
		s.control = newPart("", controlGrace*b.o.canaryTimeout())
		s.control.health.blame(errNotYet)
	}
	return s
}

// hint has the table looked at soon, since something said that it is old. It may be called on nil.
func (s *shards) hint() {
	if s == nil {
		return
	}
	select {
	case s.hints <- struct{}{}:
	default: // it will be looked at anyway
	}
}

// run keeps a link to each master, and the slot table as new as need be, until ctx ends; then it waits for all that
// it started.
func (s *shards) run(ctx context.Context, r Receiver) {
	var wg sync.WaitGroup
	defer wg.Wait()
	if s.control != nil {
		wg.Go(func() { s.b.serve(ctx, s.control, r) })
	}
	running := make(map[*part]context.CancelFunc)
	var warned time.Time
	var pace pace
	hinted := false
	for {
		table, agreed, err := s.survey.look(ctx)
		news := false
		switch {
		case err != nil:
			s.fail(err)
			if ctx.Err() == nil && time.Since(warned) > quiet {
				warned = time.Now()
				s.b.log.Warn("redis cluster does not say who owns its slots", slog.Any("error", err))
			}
		case s.current() == nil || !s.current().same(table):
			news = true
			s.apply(ctx, table, running, func(life context.Context, p *part) {
				wg.Go(func() {
					s.b.serve(life, p, r) // ends with life
					if ctx.Err() == nil {
						s.b.rooms.removePart(p)
					}
				})
			})
		}
		pace.looked(agreed, news, hinted)
		most := pace.pause
		if agreed {
			most = s.b.o.canaryTimeout() // what replaced a master that does not know it yet is found by then
		}
		ok := false
		if hinted, ok = s.pause(ctx, jitter(pace.pause), jitter(most)); !ok {
			return
		}
	}
}

// pause waits for a hint, or until most is over, but always for least. False: ctx is done.
func (s *shards) pause(ctx context.Context, least, most time.Duration) (hinted, ok bool) {
	soon, late := time.NewTimer(least), time.NewTimer(most)
	defer soon.Stop()
	defer late.Stop()
	select {
	case <-soon.C:
	case <-ctx.Done():
		return false, false
	}
	select {
	case <-s.hints:
		return true, true
	case <-late.C:
		return false, true
	case <-ctx.Done():
		return false, false
	}
}

// apply makes table the one that rooms go by. Masters that it names for the first time get a part and a link; the
// links of those that it does not name any more end, after their rooms have been told where to go.
func (s *shards) apply(ctx context.Context, table *slotTable, running map[*part]context.CancelFunc, serve func(context.Context, *part)) {
	s.mu.Lock()
	old := s.parts
	parts := make([]*part, len(table.masters))
	for i, master := range table.masters {
		if j := slices.IndexFunc(old, func(p *part) bool { return p.master == master }); j >= 0 {
			parts[i] = old[j]
			continue
		}
		parts[i] = newPart(master, s.b.o.canaryTimeout())
		parts[i].health.blame(errNotYet)
	}
	first := s.table == nil
	s.table, s.parts = table, parts
	s.mu.Unlock()

	for _, p := range parts {
		s.b.rooms.addPart(p)
	}
	s.b.rooms.rehome(func(channel string) *part {
		if i := table.owner[slotOf(channel)]; i >= 0 {
			return parts[i]
		}
		return s.nowhere
	})
	for _, p := range parts {
		if running[p] == nil {
			var life context.Context
			life, running[p] = context.WithCancel(ctx)
			serve(life, p)
		}
	}
	for p, end := range running {
		if !slices.Contains(parts, p) {
			end()
			delete(running, p)
		}
	}
	s.publisher.keep(table.masters)
	level := slog.LevelInfo
	if covered := table.covered(); covered < slotCount {
		level = slog.LevelWarn
	}
	text := "redis slots have moved"
	if first {
		text = "redis cluster found"
	}
	s.b.log.Log(ctx, level, text, slog.Any("masters", table.masters), slog.Int("slots", table.covered()))
}

func (s *shards) current() *slotTable {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table
}

func (s *shards) partsNow() []*part {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.parts
}

// ownerOf is the address of the master that owns channel's slot. Before there is a table, it looks once.
func (s *shards) ownerOf(ctx context.Context, channel string) (string, error) {
	table := s.current()
	if table == nil {
		var err error
		if table, _, err = s.survey.look(ctx); err != nil {
			return "", err
		}
	}
	slot := slotOf(channel)
	if i := table.owner[slot]; i >= 0 {
		return table.masters[i], nil
	}
	return "", fmt.Errorf("no master owns slot %d", slot)
}

// fail notes why there is no table.
func (s *shards) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = err
}

// canaryAt is a channel, whose name cannot be guessed, of a slot that p's master owns. False: it owns none.
func (s *shards) canaryAt(p *part) (channel string, ok bool) {
	s.mu.Lock()
	table, parts := s.table, s.parts
	s.mu.Unlock()
	at := slices.Index(parts, p)
	if at < 0 {
		return "", false
	}
	// A master of a single slot takes 16,384 tries on average, some milliseconds.
	for range 20 * slotCount {
		channel = canaryPrefix + rand.Text()
		if table.owner[slotOf(channel)] == int16(at) {
			return channel, true
		}
	}
	return "", false
}

// close closes the connections to publish.
func (s *shards) close() { s.publisher.close() }
