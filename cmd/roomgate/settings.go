package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
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
	src, err := p.source(cmd)
	if err != nil {
		return nil, err
	}
	src.Only = sections
	return config.Load(src)
}

// loadDespite is loadOnly, but passes over names that are no setting's.
func (p *program) loadDespite(cmd *cobra.Command, sections ...string) (*config.Config, error) {
	src, err := p.source(cmd)
	if err != nil {
		return nil, err
	}
	src.Only, src.AnyName = sections, true
	return config.Load(src)
}

// source is where settings come from.
func (p *program) source(cmd *cobra.Command) (config.Source, error) {
	file, err := cmd.Flags().GetString(configFlag)
	if err != nil {
		return config.Source{}, err
	}
	environ := slices.DeleteFunc(slices.Clone(p.environ), func(entry string) bool {
		return strings.HasPrefix(entry, tokenVariable+"=")
	})
	return config.Source{Flags: cmd.Flags(), Environ: environ, File: file}, nil
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

// authOptions lacks log, metrics and who is revoked: only a server has these.
func authOptions(c *config.Config) auth.Options {
	o := auth.Options{
		KeysStale:    c.Auth.JWKSStale,
		RoomsClaim:   c.Auth.RoomsClaim,
		PublishClaim: c.Auth.PublishClaim,
		AutoRooms:    c.Rooms.Auto,
		AllowRooms:   c.Rooms.Allow,
		PublishRooms: c.Rooms.Publish,
	}
	for _, i := range c.Auth.Issuers {
		issuer := auth.Issuer{
			Issuer:       i.Issuer,
			Audience:     i.Audience,
			AnyAudience:  i.InsecureAnyAudience,
			JWKSURL:      i.JWKSURL,
			Discovery:    i.Discovery,
			Algorithms:   i.Algorithms,
			Leeway:       i.Leeway,
			InsecureHTTP: c.Auth.InsecureHTTP,
		}
		for _, secret := range i.Secrets {
			issuer.Secrets = append(issuer.Secrets, []byte(secret))
		}
		o.Issuers = append(o.Issuers, issuer)
	}
	return o
}

// newVerifier makes the verifier of a server: it asks redis who is revoked, if that is on.
func newVerifier(c *config.Config, redis *pubsub.Broker, log *slog.Logger, metrics prometheus.Registerer) (*auth.Verifier, error) {
	o := authOptions(c)
	o.Log, o.Metrics = log, metrics
	if c.Auth.Revoked {
		o.Revoked = func(ctx context.Context, ids ...string) (bool, error) {
			keys := make([]string, len(ids))
			for i, id := range ids {
				keys[i] = c.Auth.RevokedPrefix + id
			}
			return redis.Exists(ctx, keys...)
		}
	}
	if c.Auth.CAFile != "" {
		pem, err := os.ReadFile(c.Auth.CAFile)
		if err != nil {
			return nil, fmt.Errorf("auth.ca_file: %w", err)
		}
		if o.RootCAs, err = x509.SystemCertPool(); err != nil {
			o.RootCAs = x509.NewCertPool() // this system has none: those of the file are all there are
		}
		if !o.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("auth.ca_file: no certificate in PEM form is in it")
		}
	}
	return auth.New(o)
}

// pubsubOptions has neither log nor metrics: only a server has these.
func pubsubOptions(c *config.Config) pubsub.Options {
	control := ""
	if c.Control.Enabled {
		control = c.Control.Channel
	}
	return pubsub.Options{
		ControlChannel: control,
		URL:            string(c.Redis.URL),
		Sharded:        c.Redis.Sharded,
		Username:       c.Redis.Username,
		Password:       string(c.Redis.Password),
		PasswordFile:   c.Redis.PasswordFile,

		SentinelUsername:     c.Redis.SentinelUsername,
		SentinelPassword:     string(c.Redis.SentinelPassword),
		SentinelPasswordFile: c.Redis.SentinelPasswordFile,

		CAFile:         c.Redis.CAFile,
		CertFile:       c.Redis.CertFile,
		KeyFile:        c.Redis.KeyFile,
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

		Compression:          c.HTTP.Compression,
		CompressionThreshold: c.HTTP.CompressionThreshold,

		Origins:       c.HTTP.AllowedOrigins,
		AnyOrigin:     c.HTTP.InsecureAnyOrigin,
		RequireOrigin: c.HTTP.RequireOrigin,

		TrustedProxies: c.HTTP.TrustedProxies,
		ProxyHeader:    c.HTTP.ProxyHeader,

		PingInterval: c.HTTP.PingInterval,
		PongTimeout:  c.HTTP.PongTimeout,
		AuthTimeout:  c.Auth.Timeout,
		FrameTimeout: c.Limits.FrameTimeout,
		Expiring:     c.Auth.Expiring,

		ConnectionsPerAddress:  c.Limits.ConnectionsPerAddress,
		HandshakesPerAddress:   c.Limits.HandshakesPerAddress,
		FailedTokensPerAddress: c.Limits.FailedTokensPerAddress,
		ConnectionsPerUser:     c.Limits.ConnectionsPerUser,
		ConnectionAge:          c.Limits.ConnectionAge,
		SubscribesPerMinute:    c.Limits.SubscribesPerMinute,
		DryRun:                 c.Limits.DryRun,

		Connections:        connections,
		ConnectsPerSecond:  c.Limits.ConnectsPerSecond,
		RoomsPerConnection: c.Limits.RoomsPerConnection,
		MessageBytes:       c.Limits.MessageBytes,
		MessagesPerMinute:  c.Limits.MessagesPerMinute,
		MessageBurst:       c.Limits.MessageBurst,
		OutboxBytes:        c.Limits.OutboxBytes,
		OutboxTotalBytes:   outboxTotal(c, debug.SetMemoryLimit(-1)), // -1 only asks
		MailboxBytes:       c.Limits.MailboxBytes,

		SubscribeTimeout: c.Redis.Timeout,
		GapSpread:        c.Gap.Spread,

		Log:     log,
		Metrics: metrics,
	}
}

// outboxTotal is the memory, in bytes, of what may wait for all clients. goal is Go's own limit.
// 0, where neither says anything, is the gateway's default.
func outboxTotal(c *config.Config, goal int64) int {
	const share = 4 // the rest is connections, mailboxes, and what the garbage collector works with
	if c.Limits.OutboxTotalBytes == 0 && goal != math.MaxInt64 {
		return int(goal / share)
	}
	return c.Limits.OutboxTotalBytes
}
