package pubsub

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say which Redis a Broker uses, and how patiently. The Redis user needs (ACL):
//
//	resetchannels &room:* &roomgate:canary:* +subscribe +unsubscribe +publish
//
// with its own prefix in place of "room:"; for a ControlChannel, & and its name; for Exists,
// +exists and ~ and the pattern of the keys, and +select if URL names another database than 0.
type Options struct {
	// URL is where Redis is; required. It is one of
	//
	//	redis://[user:password@]host[:port][,host[:port]…][/database]
	//	unix://[user:password@]/path[?db=database]
	//	redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/database]
	//	redis+cluster://[user:password@]host[:port][,host[:port]…]
	//
	// or rediss… for TLS, of Sentinels, too. Several hosts of redis:// are one service at several
	// addresses, tried in turn. The master of Sentinels is where more than half of those in the URL say
	// it is. A Cluster's are some of its nodes. The port is 6379, or 26379 of Sentinels, if there is none.
	// The database is where Exists looks, and means nothing to anything else, since Redis delivers
	// messages whatever the database.
	URL string

	// Username and Password take the place of those in URL; empty leaves the URL's.
	Username, Password string

	// PasswordFile, if it is not empty, holds the password in place of Password. It is read for each
	// connection, so that a new password needs no new Broker; while it cannot be read there is no new
	// connection.
	PasswordFile string

	// SentinelUsername, SentinelPassword and SentinelPasswordFile are likewise those of the Sentinels, which
	// have none by default and never those in URL.
	SentinelUsername, SentinelPassword, SentinelPasswordFile string

	// CAFile is a PEM file with the authorities that may have signed the server's certificate,
	// with TLS only; empty means those of the system.
	CAFile string

	// CertFile and KeyFile are PEM files of the certificate to show to Redis and Sentinels, and of its key, with TLS only.
	// They are read for each connection. Empty means none.
	CertFile, KeyFile string

	// Sharded subscribes rooms by SSUBSCRIBE, each at the master of a Cluster that owns its slot, and publishes by
	// SPUBLISH; for redis+cluster:// only, and Redis 7.0 or newer. Backends then have to SPUBLISH, too. The user needs
	// +ssubscribe +sunsubscribe +spublish +ping +cluster|slots, and with a ControlChannel also what it needs without.
	Sharded bool

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
