package gateway

import (
	"context"
	"errors"
	"fmt"
)

// Check recomputes the package's invariants and returns every one that does not hold. It
// stops each lane for as long as it takes to look at it. Joins and leaves that are under way
// are seen as they stand in the lane, so connections are not compared with it one by one.
func (g *Gateway) Check(ctx context.Context) error {
	var errs []error
	found, silent := askLanes(ctx, g, (*lane).check)
	for i, err := range found {
		if err != nil {
			errs = append(errs, fmt.Errorf("lane %d: %w", i, err))
		}
	}
	if silent != nil {
		return errors.Join(append(errs, silent)...)
	}
	for _, c := range g.list() {
		if err := c.out.check(); err != nil {
			errs = append(errs, err)
		}
	}
	if owed, kept := g.backlog.owed.Load(), g.backlog.kept.Load(); owed < 0 || kept < 0 {
		errs = append(errs, fmt.Errorf("outboxes count %d bytes, of which they keep %d", owed, kept))
	}
	if n, most := g.admitted.Load(), int64(g.opts().Connections); most > 0 && n > most+1 { // +1: one that is being refused
		errs = append(errs, fmt.Errorf("%d connections admitted of at most %d", n, most))
	}
	return errors.Join(errs...)
}

// askLanes asks each lane's runner, one after the other, so that only one at a time is kept from its work. If ctx
// ends it returns what the lanes before have answered.
func askLanes[T any](ctx context.Context, g *Gateway, ask func(*lane) T) (answers []T, err error) {
	for i, l := range g.lanes {
		done := make(chan T, 1) // whoever asked may have gone
		l.post(event{kind: eventCall, call: func() { done <- ask(l) }})
		select {
		case answer := <-done:
			answers = append(answers, answer)
		case <-ctx.Done():
			return answers, fmt.Errorf("lane %d did not answer: %w", i, ctx.Err())
		}
	}
	return answers, nil
}

// check checks the lane's rooms. The lane's runner calls it.
func (l *lane) check() error {
	var errs []error
	for name, r := range l.rooms {
		var count [encodings]int
		for i, m := range r.members {
			count[m.c.encoding]++
			if m.m.index != i || m.m.c != m.c || m.m.room != name {
				errs = append(errs, fmt.Errorf("a room's member %d does not know where it stands", i))
			}
		}
		switch {
		case r.name != name || l.g.laneOf(name) != l:
			errs = append(errs, errors.New("a room stands in the wrong place"))
		case len(r.members) == 0:
			errs = append(errs, errors.New("a room has no members"))
		case count != r.count:
			errs = append(errs, fmt.Errorf("a room counts members by encoding as %v, has %v", r.count, count))
		case !r.busy && len(r.backlog) > 0:
			errs = append(errs, errors.New("a room at rest has a backlog"))
		case !r.busy && len(r.pending) > 0:
			errs = append(errs, errors.New("a room at rest has pending messages"))
		}
	}
	return errors.Join(errs...)
}

// check checks the outbox's account of bytes.
func (o *outbox) check() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	sum := 0
	for _, q := range o.waiting {
		sum += q.cost()
	}
	for _, q := range o.held {
		sum += q.cost()
	}
	switch {
	case o.bytes < sum || !o.flushing && o.bytes != sum: // the flusher has the rest in hand
		return fmt.Errorf("an outbox counts %d bytes, holds %d", o.bytes, sum)
	case !o.flushing && !o.corked && sum > 0:
		return errors.New("an outbox holds frames that nobody sends")
	}
	return nil
}
