package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// A Batch publishes as a backend under load does: all that is due in one write. It is for one
// goroutine.
type Batch struct {
	o      Options
	client redis.UniversalClient
	place  place
	due    redis.Pipeliner
}

// NewBatch connects to the Redis of o. Close it.
func NewBatch(ctx context.Context, o Options) (*Batch, error) {
	a, err := newAccess(o)
	if err != nil {
		return nil, err
	}
	p := newPlace(a)
	b := &Batch{o: o, place: p}
	if o.Sharded {
		b.client = a.routed()
	} else {
		b.client = newPool(a, p, 1, 0)
	}
	b.due = b.client.Pipeline()
	if err := reach(ctx, p, b.client); err != nil {
		b.Close()
		return nil, fmt.Errorf("connecting to %v: %w", a.url, err)
	}
	return b, nil
}

// reach connects c, of p's server of the moment, and passes over replicas.
func reach(ctx context.Context, p place, c redis.UniversalClient) error {
	var err error
	for range p.choices() {
		if err = c.Ping(ctx).Err(); !errors.Is(err, errReplica) {
			break
		}
		if s, err := p.pick(ctx); err == nil {
			p.failed(s)
		}
	}
	if isRefusal(err) { // PUBLISH may be all that is allowed
		return nil
	}
	return err
}

// Publish has payload sent to room by the next Flush. It does no I/O.
func (b *Batch) Publish(room string, payload []byte) error {
	if b.o.Sharded {
		return b.due.Process(context.Background(), once{redis.NewIntCmd(context.Background(), "spublish", b.o.ChannelPrefix+room, payload)})
	}
	return b.due.Publish(context.Background(), b.o.ChannelPrefix+room, payload).Err()
}

// Flush sends what is due, and waits until Redis has taken it, for Options.Timeout at most. After an
// error it may have some of it: nothing is sent twice.
func (b *Batch) Flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), b.o.timeout())
	defer cancel()
	if _, err := b.due.Exec(ctx); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return nil
}

// Close ends the connection.
func (b *Batch) Close() {
	b.client.Close()
	b.place.close()
}
