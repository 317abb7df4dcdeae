package main

import (
	"math"
	"strconv"
	"time"
)

// An overview is what GET /overview.json answers, for the operator's view. docs/operating.md has the same fields; a
// test compares them. Rates and counts of late are made of the samples in History: rates of the last step, counts
// of all of it. A number that is not known is null.
type overview struct {
	Version string    `json:"version"`
	Now     time.Time `json:"now"`
	Started time.Time `json:"started"`
	Ready   bool      `json:"ready"`
	Reason  string    `json:"reason"` // why it is not ready; empty if it is

	Drain       *drainOverview      `json:"drain"` // null: it does not drain
	Connections connectionsOverview `json:"connections"`
	Messages    messagesOverview    `json:"messages"`
	Rooms       roomsOverview       `json:"rooms"`
	Talkers     []talkerOverview    `json:"talkers"`
	Redis       redisOverview       `json:"redis"`

	AuthFailures []countOverview `json:"auth_failures"`
	Refused      []countOverview `json:"refused"`
	Limits       []countOverview `json:"limits"`
	Closed       []countOverview `json:"closed"`

	Events  []recentEvent   `json:"events"`
	History historyOverview `json:"history"`
}

type drainOverview struct {
	Began     time.Time `json:"began"`
	Closing   bool      `json:"closing"` // false: drain.delay is not over, and clients are still let in
	Delay     measure   `json:"delay_seconds"`
	Period    measure   `json:"period_seconds"`
	Total     int       `json:"total"` // connections there were when closing began
	Remaining int       `json:"remaining"`
}

type connectionsOverview struct {
	Now    int     `json:"now"`
	Limit  int     `json:"limit"`
	Opened measure `json:"opened_per_second"`
	Closed measure `json:"closed_per_second"`
}

type messagesOverview struct {
	Received  measure `json:"received_per_second"`
	Delivered measure `json:"delivered_per_second"`
	FanoutP50 measure `json:"fanout_p50_seconds"`
	FanoutP99 measure `json:"fanout_p99_seconds"`
	Dropped   measure `json:"dropped_of_late"`
	Gaps      measure `json:"gaps_of_late"`
	Waiting   measure `json:"waiting_bytes"`
}

type roomsOverview struct {
	Now        int            `json:"now"`
	Over       measure        `json:"over_seconds"`
	Trouble    string         `json:"trouble"`
	ByMembers  []roomOverview `json:"by_members"`
	ByMessages []roomOverview `json:"by_messages"`
}

type roomOverview struct {
	Room    string  `json:"room"`
	Members int     `json:"members"`
	Rate    measure `json:"messages_per_second"`
}

type talkerOverview struct {
	Sub         string  `json:"sub"`
	Conn        string  `json:"conn"`
	Connections int     `json:"connections"`
	Rate        measure `json:"messages_per_second"`
}

type redisOverview struct {
	Up            bool            `json:"up"`
	Reason        string          `json:"reason"`
	Rooms         int             `json:"rooms"`
	Masters       measure         `json:"masters"`
	MastersProven measure         `json:"masters_proven"`
	Sentinels     measure         `json:"sentinels"`
	RoundTripP50  measure         `json:"round_trip_p50_seconds"`
	RoundTripP99  measure         `json:"round_trip_p99_seconds"`
	Reconnects    []countOverview `json:"reconnects"`
	Gaps          measure         `json:"gaps_of_late"`
}

// A countOverview is how often something happened, by its label in the metric.
type countOverview struct {
	Reason string  `json:"reason"`
	OfLate measure `json:"of_late"`
	Total  measure `json:"total"`
}

// A historyOverview has lists that are as long as times.
type historyOverview struct {
	Step         float64   `json:"step_seconds"`
	Times        []int64   `json:"times"` // of the samples, in seconds since 1970, oldest first
	Connections  []measure `json:"connections"`
	Opened       []measure `json:"opened_per_second"`
	Closed       []measure `json:"closed_per_second"`
	Received     []measure `json:"received_per_second"`
	Delivered    []measure `json:"delivered_per_second"`
	FanoutP50    []measure `json:"fanout_p50_seconds"`
	FanoutP99    []measure `json:"fanout_p99_seconds"`
	RoundTripP50 []measure `json:"round_trip_p50_seconds"`
	RoundTripP99 []measure `json:"round_trip_p99_seconds"`
	Gaps         []measure `json:"gaps_per_second"`
	AuthFailures []measure `json:"auth_failures_per_second"`
}

// A measure is a number, written in six digits, or as null if there is none.
type measure float64

// MarshalJSON is for encoding/json.
func (n measure) MarshalJSON() ([]byte, error) {
	f := float64(n)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return []byte("null"), nil
	case f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.AppendInt(nil, int64(f), 10), nil
	}
	return strconv.AppendFloat(nil, f, 'g', 6, 64), nil
}

// last is the last of a list.
func last(list []float64) measure {
	if len(list) == 0 {
		return measure(math.NaN())
	}
	return measure(list[len(list)-1])
}

func measures(list []float64) []measure {
	out := make([]measure, len(list))
	for i, f := range list {
		out[i] = measure(f)
	}
	return out
}
