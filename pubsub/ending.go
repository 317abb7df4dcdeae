package pubsub

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// A reason is why a link ended: the field of the log, and the label of the metric.
type reason string

const (
	reasonDial     reason = "dial"     // no connection, or no handshake
	reasonClosed   reason = "closed"   // Redis, or what is between, closed or broke the connection
	reasonCanary   reason = "canary"   // it was open, but nothing came back
	reasonAuth     reason = "auth"     // Redis does not know the user or the password, or there is none to send
	reasonReplica  reason = "replica"  // the server that was connected to is a replica
	reasonDemoted  reason = "demoted"  // another server became the master, or this one left its Cluster
	reasonBus      reason = "bus"      // its node of a Cluster does not get what is published at another
	reasonRefused  reason = "refused"  // Redis answered with another error: ACL, too many clients
	reasonProtocol reason = "protocol" // Redis said something that nobody asked
)

var reasons = []reason{reasonDial, reasonClosed, reasonCanary, reasonAuth, reasonReplica, reasonDemoted, reasonBus, reasonRefused, reasonProtocol}

// advice is what an operator may do about each reason, beside what the error says.
var advice = map[reason]string{
	reasonDial:     "is Redis running, and does redis.url lead to it?",
	reasonClosed:   "if Redis's own log says \"overcoming of output buffer limits\", raise its client-output-buffer-limit pubsub",
	reasonCanary:   "Redis is stopped or overloaded, or what is between drops what is sent",
	reasonAuth:     "redis.username and redis.password must be those that Redis has; a new password may be written to redis.password_file",
	reasonReplica:  "write the master's address in redis.url, or those of its Sentinels",
	reasonDemoted:  "none: the next connection goes to the new master",
	reasonBus:      "can the nodes that the error names reach each other's bus (by default the port and 10000)? The next connection goes to another node",
	reasonRefused:  "docs/operating.md, What Redis must allow, has the ACL that the user needs",
	reasonProtocol: "is there a proxy in between that does not keep connections apart?",
}

// elsewhere reports whether the right server is, or may be, another than the link's.
func (r reason) elsewhere() bool {
	return r == reasonCanary || r == reasonReplica || r == reasonDemoted || r == reasonBus
}

// An ending is a link's, whoever began it.
type ending struct {
	reason reason
	err    error
}

var endSilent = ending{reasonCanary, errUnproven}

// endingOf is an ending for err: an error reply of Redis says more than where it was met.
func endingOf(r reason, err error) ending {
	switch {
	case errors.Is(err, errReplica):
		r = reasonReplica
	case errors.Is(err, errPassword) || redis.IsAuthError(err):
		r = reasonAuth
	case errors.Is(err, errIsSentinel) || isReply(err):
		r = reasonRefused
	}
	return ending{r, err}
}

func (e ending) Error() string { return e.err.Error() }
func (e ending) Unwrap() error { return e.err }

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 3 * time.Second
)

// A backoff spreads the connects of many replicas: exponential, with full jitter.
type backoff struct{ limit time.Duration }

func (b *backoff) next() time.Duration {
	b.limit = min(max(2*b.limit, minBackoff), maxBackoff)
	return rand.N(b.limit)
}

func (b *backoff) reset() { b.limit = 0 }

// quiet is how long a Redis that stays away is not mentioned again.
const quiet = 10 * time.Second

// A report logs endings: each of a link that was live, and else one now and then.
type report struct {
	log     *slog.Logger
	last    time.Time
	skipped int
}

func (r *report) down(e ending, lived, pause time.Duration) {
	text := "redis connection lost"
	if lived == 0 {
		if !r.last.IsZero() && time.Since(r.last) < quiet {
			r.skipped++
			return
		}
		text = "redis unavailable"
	}
	r.log.Warn(text, slog.String("reason", string(e.reason)), slog.Any("error", e.err), slog.String("advice", advice[e.reason]),
		slog.Duration("lived", lived), slog.Duration("retry", pause), slog.Int("unmentioned", r.skipped))
	r.last, r.skipped = time.Now(), 0
}
