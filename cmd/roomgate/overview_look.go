package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/gateway"
	"github.com/roomgate/roomgate/internal/history"
)

const (
	historyStep    = 5 * time.Second
	historySamples = 180 // 15 minutes
	topMost        = 20  // rooms of each kind, and talkers
	topAge         = 2 * time.Second
	topTime        = 2 * time.Second // that a look may take
	topOld         = time.Minute     // a rate over more is none of now: who comes first gets it at the next look
)

// Metrics that the overview is made of.
const (
	mConnections  = "roomgate_connections"
	mConnects     = "roomgate_connects_total"
	mEnded        = "roomgate_connections_ended_total"
	mReceived     = "roomgate_redis_messages_total"
	mDelivered    = "roomgate_deliveries_total"
	mFanout       = "roomgate_fanout_seconds"
	mDrops        = "roomgate_drops_total"
	mGaps         = "roomgate_gaps_total"
	mWaiting      = "roomgate_outbox_memory_bytes"
	mAuthFailures = "roomgate_auth_failures_total"
	mLimits       = "roomgate_limits_exceeded_total"
	mRoundTrip    = "roomgate_redis_round_trip_seconds"
	mReconnects   = "roomgate_redis_reconnects_total"
	mRedisGaps    = "roomgate_redis_gaps_total"
	mMasters      = "roomgate_redis_masters"
	mProven       = "roomgate_redis_masters_proven"
	mSentinels    = "roomgate_redis_sentinels"
)

func newHistory(from prometheus.Gatherer) *history.History {
	return history.New(from, historyStep, historySamples, mConnections, mConnects, mEnded, mReceived, mDelivered, mFanout, mDrops, mGaps,
		mWaiting, mAuthFailures, mLimits, mRoundTrip, mReconnects, mRedisGaps, mMasters, mProven, mSentinels)
}

// tops remembers the last look at who is busiest. There is one only when somebody asks, and not for
// each who does: it walks all rooms.
type tops struct {
	mu      sync.Mutex // held during a look
	at      time.Time  // of the last look
	top     gateway.Top
	trouble string // why the last look failed, and top is older; empty: it did not
}

// look returns who is busiest, as it was up to topAge ago.
func (t *tops) look(ctx context.Context, g *gateway.Gateway) (gateway.Top, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.at) < topAge {
		return t.top, t.trouble
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), topTime) // it is for others, too
	defer cancel()
	top, err := g.Top(ctx, topMost)
	if t.at, t.trouble = time.Now(), ""; err != nil {
		t.trouble = err.Error()
		return t.top, t.trouble
	}
	t.top = top
	return top, ""
}

// overview looks at everything that the operator's view shows.
func (s *server) overview(ctx context.Context) overview {
	o := overview{Version: readBuild().version, Now: time.Now(), Started: s.started, Drain: s.drainNow(), Events: s.recent.events()}
	o.Ready, o.Reason = told(s.readySoon(ctx))
	o.Redis.Up, o.Redis.Reason = told(s.broker.Ready())
	o.Redis.Rooms = s.broker.Rooms()
	o.Connections.Now, o.Connections.Limit = s.gateway.Connections(), s.budget.Load().connections
	o.take(s.tops.look(ctx, s.gateway))
	s.history.Read(o.read)
	return o
}

// told is what is said of an error: that all is well, or what is not.
func told(err error) (ok bool, reason string) {
	if err != nil {
		return false, err.Error()
	}
	return true, ""
}

// take fills in who is busiest.
func (o *overview) take(t gateway.Top, trouble string) {
	o.Rooms.Now, o.Rooms.Over, o.Rooms.Trouble = t.Rooms, measure(t.Over.Seconds()), trouble
	rate := func(messages uint64) measure {
		if t.Over > topOld {
			return measure(math.NaN())
		}
		return measure(float64(messages) / t.Over.Seconds())
	}
	rooms := func(list []gateway.RoomCount) []roomOverview {
		out := make([]roomOverview, len(list))
		for i, r := range list {
			out[i] = roomOverview{r.Room, r.Members, rate(r.Messages)}
		}
		return out
	}
	o.Rooms.ByMembers, o.Rooms.ByMessages = rooms(t.ByMembers), rooms(t.ByMessages)
	o.Talkers = make([]talkerOverview, len(t.Talkers))
	for i, talker := range t.Talkers {
		o.Talkers[i] = talkerOverview{talker.Sub, talker.Conn, talker.Connections, rate(talker.Messages)}
	}
}

// read fills in what the samples tell.
func (o *overview) read(s history.Samples) {
	opened, closed := s.Rate(mConnects, "accepted"), s.Rate(mEnded)
	received, delivered := s.Rate(mReceived), s.Rate(mDelivered)
	o.Connections.Opened, o.Connections.Closed = last(opened), last(closed)
	o.Messages = messagesOverview{
		Received: last(received), Delivered: last(delivered),
		FanoutP50: measure(s.QuantileOfAll(mFanout, .5)), FanoutP99: measure(s.QuantileOfAll(mFanout, .99)),
		Dropped: ofLate(s, mDrops, "closing"), Gaps: ofLate(s, mGaps), Waiting: measure(s.Last(mWaiting, "")),
	}
	o.Redis.RoundTripP50, o.Redis.RoundTripP99 = measure(s.QuantileOfAll(mRoundTrip, .5)), measure(s.QuantileOfAll(mRoundTrip, .99))
	o.Redis.Reconnects, o.Redis.Gaps = counts(s, mReconnects), ofLate(s, mRedisGaps)
	o.Redis.Masters, o.Redis.MastersProven, o.Redis.Sentinels = last(s.Values(mMasters)), last(s.Values(mProven)), last(s.Values(mSentinels))

	o.AuthFailures, o.Refused, o.Limits, o.Closed = counts(s, mAuthFailures), counts(s, mConnects, "accepted"), counts(s, mLimits), counts(s, mEnded)

	h := historyOverview{Step: historyStep.Seconds(), Times: []int64{}, Connections: measures(s.Values(mConnections)),
		Opened: measures(opened), Closed: measures(closed), Received: measures(received), Delivered: measures(delivered),
		FanoutP50: measures(s.Quantile(mFanout, .5)), FanoutP99: measures(s.Quantile(mFanout, .99)),
		RoundTripP50: measures(s.Quantile(mRoundTrip, .5)), RoundTripP99: measures(s.Quantile(mRoundTrip, .99)),
		Gaps: measures(s.Rate(mGaps)), AuthFailures: measures(s.Rate(mAuthFailures))}
	for _, t := range s.Times() {
		h.Times = append(h.Times, t.Unix())
	}
	o.History = h
}

// ofLate is by how much the counters of one metric have grown, over all samples, but for some.
func ofLate(s history.Samples, metric string, but ...string) (sum measure) {
	for _, labels := range s.Labels(metric) {
		if slices.Contains(but, labels) {
			continue
		}
		sum += measure(s.Increase(metric, labels))
	}
	return sum
}

// counts are the counters of one metric that have counted, but for some: most of late first.
func counts(s history.Samples, metric string, but ...string) []countOverview {
	list := []countOverview{}
	for _, labels := range s.Labels(metric) {
		total := s.Last(metric, labels)
		if total > 0 && !slices.Contains(but, labels) {
			list = append(list, countOverview{reasonOf(labels), measure(s.Increase(metric, labels)), measure(total)})
		}
	}
	slices.SortFunc(list, func(a, b countOverview) int {
		return cmp.Or(cmp.Compare(b.OfLate, a.OfLate), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// reasonOf is what a metric's labels say. A limit has two: whether it only counts, and its name.
func reasonOf(labels string) string {
	dry, limit, two := strings.Cut(labels, ",")
	switch {
	case !two:
		return labels
	case dry == "true":
		return limit + " (dry run)"
	}
	return limit
}

// drainNow is how far a drain has come; nil: there is none.
func (s *server) drainNow() *drainOverview {
	d := s.drained.Load()
	if d == nil {
		return nil
	}
	now := *d
	now.Remaining = s.gateway.Connections()
	now.Total = max(now.Total, now.Remaining) // before closing begins, clients are still let in
	return &now
}
