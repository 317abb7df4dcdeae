//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A target is where a publisher publishes. Its methods are one goroutine's.
type target interface {
	// publish publishes once. After an error Redis may have it or not: it is not sent again, which
	// could make it two.
	publish(ctx context.Context, channel string, payload []byte) error
	close()
}

// A seeker publishes to one server, as long as that takes what it is sent and is a master, and then
// to the next that does. It stays with one, since the messages of a room that are published to several
// nodes of a Cluster have no order.
type seeker struct {
	addrs  func() []string // where there may be a master, now; any goroutine
	addr   string          // where client is
	client *redis.Client   // nil: it has yet to seek
	tried  int
}

// seek is a target for publishers of whatever server of addrs is a master, the first if it can be.
func seek(addrs func() []string) func() target {
	return func() target { return &seeker{addrs: addrs} }
}

func (s *seeker) publish(ctx context.Context, channel string, payload []byte) error {
	addrs := s.addrs()
	if !slices.Contains(addrs, s.addr) {
		s.close()
	}
	if len(addrs) == 0 {
		return errors.New("there is nowhere to publish")
	}
	if s.client == nil {
		s.addr = addrs[s.tried%len(addrs)]
		s.client = newClient(s.addr)
		s.tried++
	}
	err := s.client.Publish(ctx, channel, payload).Err()
	if err != nil {
		s.close()
	}
	return err
}

func (s *seeker) close() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// newClient is a client of a master that sends nothing twice. A replica takes what is published, too,
// and keeps it to itself: so it asks at each connect. Sentinel ends connections when it demotes a master.
func newClient(addr string) *redis.Client {
	o := options(addr)
	o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		role, err := cn.Do(ctx, "ROLE").Slice()
		if err == nil && fmt.Sprint(role[0]) != "master" {
			err = fmt.Errorf("%s is a %v", addr, role[0])
		}
		return err
	}
	return redis.NewClient(o)
}

// newAsker is a client of whatever server is at addr.
func newAsker(addr string) *redis.Client { return redis.NewClient(options(addr)) }

func options(addr string) *redis.Options {
	return &redis.Options{
		Addr: addr, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, ContextTimeoutEnabled: true,
		DialTimeout:              publishTime,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// A sharder publishes by SPUBLISH, to the master of the channel's slot. It follows no redirection:
// what was redirected was not taken, and the next message goes to the right node.
type sharder struct{ client *redis.ClusterClient }

func shard(addrs []string) func() target {
	return func() target {
		return sharder{redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: addrs, PoolSize: 1, MaxRedirects: -1, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, ContextTimeoutEnabled: true,
			DialTimeout:              publishTime,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		})}
	}
}

func (s sharder) publish(ctx context.Context, channel string, payload []byte) error {
	err := s.client.SPublish(ctx, channel, payload).Err()
	if err != nil {
		s.client.ReloadState(ctx) // or it would ask for the slots once a minute
	}
	return err
}

func (s sharder) close() { s.client.Close() }
