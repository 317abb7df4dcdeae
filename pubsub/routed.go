package pubsub

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"
)

// routed makes a client that sends each command to the master of its key's slot, and follows a slot that moved. It repeats a
// command after errors of the network, too: give it what may be done twice, or a once.
func (a *access) routed() *redis.ClusterClient {
	ro := a.options()
	return redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: a.url.Addrs,
		Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return a.dialKept(ctx, server{addr: addr}, a.conns.now())
		},
		CredentialsProviderContext: ro.CredentialsProviderContext,

		DialTimeout:  ro.DialTimeout,
		ReadTimeout:  ro.ReadTimeout,
		WriteTimeout: ro.WriteTimeout,

		ContextTimeoutEnabled:    ro.ContextTimeoutEnabled,
		DialerRetries:            ro.DialerRetries,
		MaxRetries:               ro.MaxRetries,
		PipelinePoolSize:         ro.PipelinePoolSize,
		Protocol:                 ro.Protocol,
		DisableIdentity:          ro.DisableIdentity,
		MaintNotificationsConfig: ro.MaintNotificationsConfig,
		DisableRoutingPolicies:   true, // they ask each server for COMMAND, which the user may not
	})
}

// A once is a command of which a routed client follows the redirections, at which nothing was done, and that it does not
// send again after an error of the network, which says nothing of whether it was done.
type once struct{ *redis.IntCmd }

// NoRetry is how go-redis asks.
func (once) NoRetry() bool { return true }

// keyed makes a client for the keys of a Cluster, which has one database.
func (p *cluster) keyed(int) redis.UniversalClient { return p.access.routed() }
