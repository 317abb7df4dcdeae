package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	recentMost      = 100 // records that are kept
	recentOfKind    = 20  // of these, of one event and message: a flood of one kind must not push out the others
	recentAttrs     = 16  // of each
	recentTextBytes = 300 // of each text
)

// A recentEvent is a line of the log of level warn or error.
type recentEvent struct {
	Time       time.Time         `json:"time"`
	Level      string            `json:"level"`      // WARN or ERROR
	Event      string            `json:"event"`      // its kind, as in the log; empty: the message is all that tells it
	Message    string            `json:"message"`    // what the line says
	Attributes map[string]string `json:"attributes"` // the line's others, such as addr, reason, sub, conn, error; of a long text the beginning
}

// recent is a slog.Handler that keeps the last records of level warn and more: security events,
// trouble with Redis, overload. It sees what the log gets, and so no token, query string or payload,
// and no more of what strangers cause than the log's samplers let through.
type recent struct {
	ring  *recentRing
	attrs []slog.Attr // of With
}

type recentRing struct {
	mu   sync.Mutex    // guards what follows
	list []recentEvent // the last stands last
}

func newRecent() *recent { return &recent{ring: &recentRing{}} }

// Enabled lets warnings be kept whatever log.level says.
func (r *recent) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle keeps one record.
func (r *recent) Handle(_ context.Context, record slog.Record) error {
	e := recentEvent{Time: record.Time, Level: record.Level.String(), Message: cut(record.Message), Attributes: map[string]string{}}
	take := func(a slog.Attr) bool {
		text := cut(a.Value.Resolve().String())
		switch {
		case a.Key == "event":
			e.Event = text
		case a.Key == "panic" || a.Key == "stack": // could be anything, and the log has it
		case len(e.Attributes) < recentAttrs:
			e.Attributes[a.Key] = text
		}
		return true
	}
	for _, a := range r.attrs {
		take(a)
	}
	record.Attrs(take)
	r.ring.add(e)
	return nil
}

// WithAttrs is With of a logger.
func (r *recent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &recent{ring: r.ring, attrs: append(r.attrs[:len(r.attrs):len(r.attrs)], attrs...)}
}

// WithGroup is that of a logger. Groups are not told apart: there are none in this log.
func (r *recent) WithGroup(string) slog.Handler { return r }

// add keeps e, in the place of the oldest of its kind or of all.
func (r *recentRing) add(e recentEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	same, oldest := 0, 0
	for i := len(r.list) - 1; i >= 0; i-- {
		if r.list[i].Event == e.Event && r.list[i].Message == e.Message {
			same, oldest = same+1, i
		}
	}
	switch {
	case same >= recentOfKind:
		r.list = slices.Delete(r.list, oldest, oldest+1)
	case len(r.list) >= recentMost:
		r.list = slices.Delete(r.list, 0, 1)
	}
	r.list = append(r.list, e)
}

// events returns what is kept, the last first.
func (r *recent) events() []recentEvent {
	r.ring.mu.Lock()
	defer r.ring.mu.Unlock()
	list := slices.Clone(r.ring.list)
	slices.Reverse(list)
	if list == nil {
		list = []recentEvent{} // not null
	}
	return list
}

// cut returns the beginning of a long text.
func cut(text string) string {
	if len(text) <= recentTextBytes {
		return text
	}
	return text[:recentTextBytes] + "…"
}
