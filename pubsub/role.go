package pubsub

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

var (
	// errReplica is a server that copies another. It takes a PUBLISH, which reaches nobody but its own subscribers.
	errReplica = errors.New("this Redis is a replica, where a message that is published reaches nobody on the master: " +
		"write the address of the master in redis.url, or those of its Sentinels (redis+sentinel://)")

	errIsSentinel = errors.New("this is a Sentinel, and no Redis: write redis+sentinel:// and the name of the master in redis.url")
)

// doer is a *redis.Conn or a *redis.Client.
type doer interface {
	Do(ctx context.Context, args ...any) *redis.Cmd
}

// checkRole refuses a server at which a link must not be. It asks by HELLO, which every user may send. What knows
// no HELLO, as Redis before 6.0 and some proxies, is let in.
func checkRole(ctx context.Context, c doer) error {
	reply, err := c.Do(ctx, "hello", 2).Slice()
	switch {
	case redis.IsAuthError(err):
		return err
	case isReply(err):
		return nil
	case err != nil:
		return fmt.Errorf("asking for the role: %w", err)
	}
	said := map[any]any{}
	for i := 0; i+1 < len(reply); i += 2 {
		if name, ok := reply[i].(string); ok {
			said[name] = reply[i+1]
		}
	}
	switch {
	case said["mode"] == "sentinel":
		return errIsSentinel
	case said["role"] == "replica" || said["role"] == "slave":
		return errReplica
	}
	return nil
}

// isReply reports whether err is an error that Redis answered with.
func isReply(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return said
}
