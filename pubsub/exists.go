package pubsub

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Exists reports whether at least one of keys exists in Redis, in the database that Options.URL
// names: one round trip, however many they are, each asked for by itself since in a Cluster they
// live apart. No keys is false. After an error nothing is known; it shows no key. ctx's deadline
// limits the wait, and Options.Timeout does.
func (b *Broker) Exists(ctx context.Context, keys ...string) (bool, error) {
	if len(keys) == 0 {
		return false, nil
	}
	pipe := b.keys.Pipeline()
	found := make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		found[i] = pipe.Exists(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return false, fmt.Errorf("looking keys up: %w", err)
	}
	return slices.ContainsFunc(found, func(c *redis.IntCmd) bool { return c.Val() > 0 }), nil
}

// TryExists returns why Exists could not look up keys that begin with prefix, or nil. If an ACL
// forbids it, the error says which command, and what to give the user.
func (b *Broker) TryExists(ctx context.Context, prefix string) error {
	_, err := b.Exists(ctx, prefix+"probe")
	if err == nil || !strings.Contains(err.Error(), "NOPERM") { // a failed SELECT is wrapped as text
		return err
	}
	rule := "+exists ~" + prefix + "*"
	if b.access.url.DB != 0 {
		rule += " +select" // which go-redis sends for any other database
	}
	return fmt.Errorf("%w: allow it by ACL SETUSER %s %s", err, cmp.Or(b.access.user(), "default"), rule)
}
