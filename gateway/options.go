package gateway

import (
	"cmp"
	"log/slog"
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

	Origins   []string // origins of pages that may connect: https://example.com, https://*.example.com; none: the page's host must be ours
	AnyOrigin bool     // any page may connect, with its users' cookies. Insecure

	PingInterval time.Duration // between two pings, 10 % more or less; 0: 30 s
	PongTimeout  time.Duration // for a sign of life after a ping; less than PingInterval; 0: 10 s
	AuthTimeout  time.Duration // for the first auth message; 0: 10 s
	FrameTimeout time.Duration // for a begun message to be complete; 0: 10 s
	Expiring     time.Duration // before a token's expiry, when the client is warned; 0: it is not
	Leeway       time.Duration // after a token's expiry, until the connection is closed

	Connections        int // in all; 0: no limit
	RoomsPerConnection int // 0: 100
	MessageBytes       int // of one client message; 0: 100 KiB
	MessagesPerMinute  int // of one client; 0: no limit
	MessageBurst       int // of one client at once; 0: 1
	OutboxBytes        int // that wait for one client before it is slow; 0: 1 MiB
	MailboxBytes       int // of messages that wait for fan-out, for each lane; 0: 64 MiB

	SubscribeTimeout time.Duration // for Redis to confirm a room or take a message; 0: 5 s
	GapSpread        time.Duration // window in which clients refetch after a gap; 0: at once

	Log     *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: none
}

// withDefaults returns o with its zero values replaced.
func (o Options) withDefaults() Options {
	if o.TokenFrom == nil {
		o.TokenFrom = []string{tokenHeader, tokenSubprotocol, tokenQuery, tokenMessage}
	}
	o.Reject = cmp.Or(o.Reject, rejectClose)
	o.Format = cmp.Or(o.Format, "raw")
	o.PingInterval = cmp.Or(o.PingInterval, 30*time.Second)
	o.PongTimeout = cmp.Or(o.PongTimeout, 10*time.Second)
	o.AuthTimeout = cmp.Or(o.AuthTimeout, 10*time.Second)
	o.FrameTimeout = cmp.Or(o.FrameTimeout, 10*time.Second)
	o.RoomsPerConnection = cmp.Or(o.RoomsPerConnection, 100)
	o.MessageBytes = cmp.Or(o.MessageBytes, 100<<10)
	o.OutboxBytes = cmp.Or(o.OutboxBytes, 1<<20)
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
