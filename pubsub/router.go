package pubsub

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"
)

// A router publishes each message of sharded pub/sub at the master that owns its channel's slot. go-redis's own
// client of a Cluster either does not follow a slot that moved, or sends again what may have arrived.
type router struct {
	s *shards
	*clients
}

func newRouter(s *shards) *router { return &router{s: s, clients: newClients(s.b.access, 0)} }

// maxMoves is how often a message is sent on to where an answer says that its slot is.
const maxMoves = 3

// publish returns how many subscribers had payload. After an error but MOVED it may have arrived or not.
func (r *router) publish(ctx context.Context, channel string, payload any) (receivers int64, err error) {
	addr, err := r.s.ownerOf(ctx, channel)
	if err != nil {
		return 0, err
	}
	for range 1 + maxMoves {
		var client *redis.Client
		if client, err = r.at(addr); err != nil {
			return 0, err
		}
		receivers, err = client.SPublish(ctx, channel, payload).Result()
		to, moved := redis.IsMovedError(err)
		if !moved {
			return receivers, err
		}
		r.s.hint()
		addr = besides(addr, to)
	}
	return 0, err
}

// besides is the address to as the node at addr means it, which leaves out a host that is its own.
func besides(addr, to string) string {
	if host, port, err := net.SplitHostPort(to); err == nil && host == "" {
		own, _, _ := net.SplitHostPort(addr)
		return net.JoinHostPort(own, port)
	}
	return to
}
