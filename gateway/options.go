package gateway

import (
	"cmp"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options are a gateway's settings. The zero value of each but Rooms and Tokens is usable.
type Options struct {
	Rooms  Rooms  // where messages come from; required
	Tokens Tokens // verifies tokens; required

	TokenFrom []string // where a token may be: header, subprotocol, query, cookie, message; nil: all but cookie
	Cookie    string   // name of the cookie that holds a token
	Reject    string   // close (default): a refused token is told by a close frame; status: by 401 or 403
	Format    string   // of clients that ask for none: raw (default) or v1

	Compression          bool // clients may agree on permessage-deflate
	CompressionThreshold int  // bytes from which a message is compressed; 0: 1 KiB

	Origins       []string // origins of pages that may connect: https://example.com, https://*.example.com; none: the page's host must be ours
	RequireOrigin bool     // whoever sends no Origin, which is whoever is no browser, is refused
	AnyOrigin     bool     // any page may connect, with its users' cookies. Insecure

	PingInterval time.Duration // between two pings, 10 % more or less; 0: 30 s
	PongTimeout  time.Duration // for a sign of life after a ping; less than PingInterval; 0: 10 s
	AuthTimeout  time.Duration // for the first auth message; 0: 10 s
	FrameTimeout time.Duration // for a begun message to be complete; 0: 10 s
	Expiring     time.Duration // before a token's expiry, when the client is warned; 0: it is not

	TrustedProxies []netip.Prefix // whose headers about the client are believed; none: nobody's
	ProxyHeader    string         // which: x-forwarded-for, forwarded, or auto (default): the first, and the second if there is none

	// Of one address (IPv6: of its /64). n: for all addresses; 0: 1000 connections, 600
	// handshakes and 60 refused tokens a minute for public addresses, and no limit for loopback
	// and private ones, as which proxies that are not trusted appear; negative: no limit.
	ConnectionsPerAddress  int
	HandshakesPerAddress   int
	FailedTokensPerAddress int

	ConnectionsPerUser  int           // of one sub; 0: no limit
	ConnectionAge       time.Duration // until a client is told to reconnect, 10 % more or less; 0: never
	SubscribesPerMinute int           // of one client; 0: no limit but that of messages
	DryRun              []string      // limits that are counted and logged but have no consequence: see the names in limits.go

	Connections        int // in all; 0: no limit
	ConnectsPerSecond  int // upgrades, evenly; 0: no limit
	RoomsPerConnection int // 0: 100
	MessageBytes       int // of one client message; 0: 100 KiB
	MessagesPerMinute  int // of one client; 0: no limit
	MessageBurst       int // of one client at once; 0: 1
	OutboxBytes        int // that wait for one client before it is slow; 0: 1 MiB
	OutboxTotalBytes   int // of memory of what waits for all clients, beyond which those that wait for most are slow; 0: 1 GiB
	MailboxBytes       int // of messages that wait for fan-out or are in it, for each lane; 0: 64 MiB

	SubscribeTimeout time.Duration // for Redis to confirm a room or take a message; 0: 5 s
	GapSpread        time.Duration // window in which clients refetch after a gap; 0: at once

	Log     *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: none
}

// settings are checked options, and what is made of them once.
type settings struct {
	Options
	origins      originSet
	peers        peers
	messageLimit paceLimit
	joinLimit    paceLimit
	connectLimit paceLimit
}

// newSettings checks o. Errors name the option.
func newSettings(o Options) (*settings, error) {
	o = o.withDefaults()
	if o.Rooms == nil || o.Tokens == nil {
		return nil, errors.New("gateway: Rooms and Tokens must be set")
	}
	origins, err := newOriginSet(o.Origins, o.AnyOrigin, o.RequireOrigin)
	if err != nil {
		return nil, err
	}
	return &settings{
		Options:      o,
		origins:      origins,
		peers:        peers{trusted: o.TrustedProxies, header: o.ProxyHeader},
		messageLimit: perMinuteBurst(o.MessagesPerMinute, o.MessageBurst),
		joinLimit:    perMinute(o.SubscribesPerMinute),
		connectLimit: perSecond(o.ConnectsPerSecond),
	}, nil
}

// withDefaults returns o with its zero values replaced.
func (o Options) withDefaults() Options {
	if o.TokenFrom == nil {
		o.TokenFrom = []string{tokenHeader, tokenSubprotocol, tokenQuery, tokenMessage}
	}
	o.ProxyHeader = cmp.Or(o.ProxyHeader, headerAuto)
	o.Reject = cmp.Or(o.Reject, rejectClose)
	o.Format = cmp.Or(o.Format, "raw")
	o.CompressionThreshold = cmp.Or(o.CompressionThreshold, 1<<10)
	o.PingInterval = cmp.Or(o.PingInterval, 30*time.Second)
	o.PongTimeout = cmp.Or(o.PongTimeout, 10*time.Second)
	o.AuthTimeout = cmp.Or(o.AuthTimeout, 10*time.Second)
	o.FrameTimeout = cmp.Or(o.FrameTimeout, 10*time.Second)
	o.RoomsPerConnection = cmp.Or(o.RoomsPerConnection, 100)
	o.MessageBytes = cmp.Or(o.MessageBytes, 100<<10)
	o.OutboxBytes = cmp.Or(o.OutboxBytes, 1<<20)
	o.OutboxTotalBytes = cmp.Or(o.OutboxTotalBytes, 1<<30)
	o.MailboxBytes = cmp.Or(o.MailboxBytes, 64<<20)
	o.SubscribeTimeout = cmp.Or(o.SubscribeTimeout, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	return o
}
