package main

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/gateway"
	"github.com/roomgate/roomgate/pubsub"
)

// tokenVariable holds a token for `tail`. It is a client's, not a setting: the same shell may serve.
const tokenVariable = "ROOMGATE_TOKEN"

// load reads the settings. Those of the sections that cmd uses must be good.
func (p *program) load(cmd *cobra.Command) (*config.Config, error) {
	return p.loadOnly(cmd, sections(cmd)...)
}

// loadOnly is load for other sections; none: all.
func (p *program) loadOnly(cmd *cobra.Command, sections ...string) (*config.Config, error) {
	file, err := cmd.Flags().GetString(configFlag)
	if err != nil {
		return nil, err
	}
	environ := slices.DeleteFunc(slices.Clone(p.environ), func(entry string) bool {
		return strings.HasPrefix(entry, tokenVariable+"=")
	})
	return config.Load(config.Source{Flags: cmd.Flags(), Environ: environ, File: file, Only: sections})
}

// variable returns what the environment has under name; empty: nothing.
func (p *program) variable(name string) string {
	for _, entry := range slices.Backward(p.environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

func authOptions(c *config.Config) auth.Options {
	secrets := make([][]byte, len(c.Auth.Secrets))
	for i, s := range c.Auth.Secrets {
		secrets[i] = []byte(s)
	}
	return auth.Options{
		Secrets:      secrets,
		Algorithms:   c.Auth.Algorithms,
		Issuer:       c.Auth.Issuer,
		Audience:     c.Auth.Audience,
		Leeway:       c.Auth.Leeway,
		RoomsClaim:   c.Auth.RoomsClaim,
		PublishClaim: c.Auth.PublishClaim,
		AutoRooms:    c.Rooms.Auto,
		AllowRooms:   c.Rooms.Allow,
		PublishRooms: c.Rooms.Publish,
	}
}

// pubsubOptions has neither log nor metrics: only a server has these.
func pubsubOptions(c *config.Config) pubsub.Options {
	return pubsub.Options{
		URL:            string(c.Redis.URL),
		Username:       c.Redis.Username,
		Password:       string(c.Redis.Password),
		CAFile:         c.Redis.CAFile,
		ChannelPrefix:  c.Redis.ChannelPrefix,
		LeaveDelay:     cmp.Or(c.Redis.LeaveDelay, time.Nanosecond), // 0 would be the default of pubsub
		CanaryInterval: c.Redis.CanaryInterval,
		CanaryTimeout:  c.Redis.CanaryTimeout,
		Timeout:        c.Redis.Timeout,
	}
}

// gatewayOptions lacks where rooms and tokens come from.
func gatewayOptions(c *config.Config, connections int, log *slog.Logger, metrics prometheus.Registerer) gateway.Options {
	return gateway.Options{
		TokenFrom: c.Auth.TokenFrom,
		Cookie:    c.Auth.Cookie,
		Reject:    c.Auth.Reject,
		Format:    c.HTTP.DefaultFormat,

		Origins:   c.HTTP.AllowedOrigins,
		AnyOrigin: c.HTTP.InsecureAnyOrigin,

		PingInterval: c.HTTP.PingInterval,
		PongTimeout:  c.HTTP.PongTimeout,
		AuthTimeout:  c.Auth.Timeout,
		FrameTimeout: c.Limits.FrameTimeout,
		Expiring:     c.Auth.Expiring,
		Leeway:       c.Auth.Leeway,

		Connections:        connections,
		RoomsPerConnection: c.Limits.RoomsPerConnection,
		MessageBytes:       c.Limits.MessageBytes,
		MessagesPerMinute:  c.Limits.MessagesPerMinute,
		MessageBurst:       c.Limits.MessageBurst,
		OutboxBytes:        c.Limits.OutboxBytes,
		MailboxBytes:       c.Limits.MailboxBytes,

		SubscribeTimeout: c.Redis.Timeout,
		GapSpread:        c.Gap.Spread,

		Log:     log,
		Metrics: metrics,
	}
}
