package pubsub

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say which Redis a Broker uses, and how patiently. The Redis user needs (ACL):
//
//	resetchannels &room:* &roomgate:canary:* +subscribe +unsubscribe +publish
//
// with its own prefix in place of "room:"; for a ControlChannel, & and its name; for Exists,
// +exists and ~ and the pattern of the keys, and +select if URL names another database than 0.
type Options struct {
	// URL is redis://[user:password@]host[:port][/database], or rediss:// for TLS; required. The
	// database is where Exists looks, and means nothing to anything else, since Redis delivers
	// messages whatever the database. Options after a ? are refused: go-redis knows one there that
	// turns off the verification of TLS.
	URL string

	// Username and Password take the place of those in URL; empty leaves the URL's.
	Username, Password string

	// CAFile is a PEM file with the authorities that may have signed the server's certificate,
	// for rediss:// only; empty means those of the system.
	CAFile string

	// ChannelPrefix and the room's name together are the Redis channel; empty means no prefix.
	ChannelPrefix string

	// ControlChannel is a Redis channel whose messages go to Receiver.Control; empty means none. It
	// must not begin with ChannelPrefix, so that no room is that channel: whoever may publish to a
	// room would be obeyed. With an empty ChannelPrefix there can be none, then. A link that may not
	// subscribe to it ends. What is published to it while the Broker is not connected is lost.
	ControlChannel string

	// LeaveDelay is how long a room that everybody left stays subscribed, so that a client that
	// comes straight back costs nothing. 0 means 5 s.
	LeaveDelay time.Duration

	// CanaryInterval is the time between two messages that the Broker publishes to itself. 0 means 2 s.
	CanaryInterval time.Duration

	// CanaryTimeout is how long none of them may arrive before the connection is given up, and
	// how long Ready may rest on the last one. It must exceed CanaryInterval. 0 means 6 s.
	CanaryTimeout time.Duration

	// Timeout limits each connect, handshake, write and reply. 0 means 5 s.
	Timeout time.Duration

	// Log is told when the connection comes and goes; nil means nobody is.
	Log *slog.Logger

	// Metrics is where the roomgate_redis_… metrics are registered; nil means nowhere.
	Metrics prometheus.Registerer
}

func (o Options) leaveDelay() time.Duration     { return cmp.Or(o.LeaveDelay, 5*time.Second) }
func (o Options) canaryInterval() time.Duration { return cmp.Or(o.CanaryInterval, 2*time.Second) }
func (o Options) canaryTimeout() time.Duration  { return cmp.Or(o.CanaryTimeout, 6*time.Second) }
func (o Options) timeout() time.Duration        { return cmp.Or(o.Timeout, 5*time.Second) }
func (o Options) log() *slog.Logger             { return cmp.Or(o.Log, slog.New(slog.DiscardHandler)) }

// redisOptions turns o into the options of every client. No error repeats any part of the URL:
// what makes one malformed is often an unescaped password.
func (o Options) redisOptions() (*redis.Options, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("redis URL: malformed (not shown, it may hold a password; write its special characters as %XX)")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return nil, errors.New("redis URL: must begin with redis:// or rediss://")
	}
	if u.RawQuery != "" {
		return nil, errors.New("redis URL: options after a ? are not accepted")
	}
	ro, err := redis.ParseURL(o.URL)
	if err != nil {
		return nil, errors.New("redis URL: what follows the host must be a database number, or nothing (not shown, it may hold a password)")
	}
	if o.CAFile != "" {
		if ro.TLSConfig == nil {
			return nil, errors.New("redis: an authority's file is given, but the URL does not begin with rediss://")
		}
		if ro.TLSConfig.RootCAs, err = readAuthorities(o.CAFile); err != nil {
			return nil, fmt.Errorf("redis authorities: %w", err)
		}
	}
	return &redis.Options{
		Network:      ro.Network,
		Addr:         ro.Addr,
		Username:     cmp.Or(o.Username, ro.Username),
		Password:     cmp.Or(o.Password, ro.Password),
		DB:           ro.DB,
		TLSConfig:    ro.TLSConfig,
		DialTimeout:  o.timeout(),
		ReadTimeout:  o.timeout(),
		WriteTimeout: o.timeout(),

		ContextTimeoutEnabled: true,
		DialerRetries:         1,
		MaxRetries:            -1, // a PUBLISH sent twice arrives twice
		PipelinePoolSize:      -1, // the few pipelines, of Exists, need no pool of their own

		// RESP3's push frames are of no use here, and HELLO and AUTH, which every user may send,
		// are all that a connection then needs.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}, nil
}

func readAuthorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, nil
}

// dial opens the TCP connection of a client with options ro.
func dial(ctx context.Context, ro *redis.Options, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: ro.DialTimeout}
	return d.DialContext(ctx, network, addr)
}

// secure does the TLS handshake on conn, if ro wants TLS. It closes conn on an error. go-redis's own
// dialer would do it without the context.
func secure(ctx context.Context, ro *redis.Options, conn net.Conn) (net.Conn, error) {
	if ro.TLSConfig == nil {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, ro.DialTimeout)
	defer cancel()
	c := tls.Client(conn, ro.TLSConfig)
	if err := c.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return c, nil
}
