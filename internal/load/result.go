package load

import (
	"encoding/json"
	"maps"
	"time"
)

// Progress is how far a Run is.
type Progress struct {
	Warming   bool          // nothing is counted yet, and what follows is of the warm-up
	Elapsed   time.Duration // since the first message of this part
	Duration  time.Duration // of this part
	Published int64
	Delivered int64
	Missing   int64 // of those before which a later message has come to the client
	Closed    int64 // since Dial
	Latency   Quantiles
}

// Result is what a Run counted. Gaps and what was closed count from Dial on.
type Result struct {
	Connections int   `json:"connections"` // open when counting began
	Rooms       int   `json:"rooms"`
	Due         int64 `json:"due"`          // messages that were to be published in the time
	Published   int64 `json:"published"`    // of these
	Expected    int64 `json:"expected"`     // deliveries: each message once to each member
	Delivered   int64 `json:"delivered"`    // of these
	Lost        int64 `json:"lost"`         // of these: not come before Settle was over
	Duplicated  int64 `json:"duplicated"`   // come again
	OutOfOrder  int64 `json:"out_of_order"` // delivered, but behind a later message of their room
	Strays      int64 `json:"strays"`       // come to a client that is not in the room
	Late        int64 `json:"late"`         // of those due: published more than LateAfter later, or not at all for want of time

	Gaps     int64            `json:"gaps"`      // gap frames of roomgate.v1
	Closed   int64            `json:"closed"`    // connections that ended; none is dialled again
	ClosedBy map[string]int64 `json:"closed_by"` // these by close code; 1006: without a close frame

	Elapsed time.Duration `json:"-"` // from the first message to the last delivery
	Latency Quantiles     `json:"-"` // from before Publish, late or not, to the look that found the message
	OwnCPU  time.Duration `json:"-"` // CPU of this process; 0: not known on this system
}

// result counts a part that has ended.
func (c *Clients) result(p *publishing) *Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	run := c.run
	c.run = nil
	r := &Result{
		Connections: p.open, Rooms: c.o.rooms(),
		Due: p.due, Published: p.published.Load(), Expected: p.expected.Load(), Late: p.late,
		Delivered: run.delivered, Duplicated: run.duplicated, OutOfOrder: run.outOfOrder, Strays: run.strays,
		Gaps: c.gaps, ClosedBy: maps.Clone(c.closedBy), Latency: run.latency.quantiles(),
	}
	if !run.any {
		r.Lost = r.Expected - r.Delivered
	}
	for _, n := range c.closedBy {
		r.Closed += n
	}
	if run.last > 0 {
		r.Elapsed = time.Duration(run.last - p.began)
	}
	return r
}

// progress says how far p is.
func (c *Clients) progress(p *publishing) Progress {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := Progress{
		Elapsed: time.Duration(c.clock() - p.began), Duration: p.d,
		Published: p.published.Load(), Delivered: c.run.delivered, Missing: c.run.missing, Latency: c.run.latency.quantiles(),
	}
	for _, n := range c.closedBy {
		now.Closed += n
	}
	return now
}

// MarshalJSON writes times in milliseconds.
func (r Result) MarshalJSON() ([]byte, error) {
	type counts Result
	return json.Marshal(struct {
		counts
		Elapsed float64   `json:"elapsed_ms"`
		Latency Quantiles `json:"latency_ms"`
		OwnCPU  float64   `json:"own_cpu_ms"`
	}{counts(r), milliseconds(r.Elapsed), r.Latency, milliseconds(r.OwnCPU)})
}

// MarshalJSON writes milliseconds.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		P50  float64 `json:"p50"`
		P90  float64 `json:"p90"`
		P99  float64 `json:"p99"`
		P999 float64 `json:"p999"`
		Max  float64 `json:"max"`
	}{milliseconds(q.P50), milliseconds(q.P90), milliseconds(q.P99), milliseconds(q.P999), milliseconds(q.Max)})
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
