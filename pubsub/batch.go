package pubsub

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// A Batch publishes as a backend under load does: all that is due in one write. It is for one
// goroutine.
type Batch struct {
	o      Options
	client *redis.Client
	due    redis.Pipeliner
}

// NewBatch connects to the Redis of o. Close it.
func NewBatch(ctx context.Context, o Options) (*Batch, error) {
	ro, err := o.redisOptions()
	if err != nil {
		return nil, err
	}
	ro.DB = 0 // messages come whatever the database, and without one no SELECT must be allowed
	ro.PoolSize = 1
	b := &Batch{o: o, client: redis.NewClient(ro)}
	b.due = b.client.Pipeline()
	if err := b.client.Ping(ctx).Err(); err != nil && !isRefusal(err) { // PUBLISH may be all that is allowed
		b.Close()
		return nil, fmt.Errorf("connecting to %s: %w", ro.Addr, err)
	}
	return b, nil
}

// Publish has payload sent to room by the next Flush. It does no I/O.
func (b *Batch) Publish(room string, payload []byte) error {
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
func (b *Batch) Close() { b.client.Close() }
