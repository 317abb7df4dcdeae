package main

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sampleEvery is the time between two lines of one sampler.
const sampleEvery = time.Minute

// A sampler writes the first of the lines that strangers can cause, and one a minute after that,
// with how many it has held back.
type sampler struct {
	mu         sync.Mutex // guards what follows
	next       time.Time
	suppressed int
}

func (s *sampler) log(to *slog.Logger, level slog.Level, message string, attrs ...slog.Attr) {
	suppressed, ok := s.take(time.Now())
	if !ok {
		return
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	to.LogAttrs(context.Background(), level, message, attrs...)
}

// take reports whether a line may be written now, and how many before it were not.
func (s *sampler) take(now time.Time) (suppressed int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) {
		s.suppressed++
		return 0, false
	}
	suppressed, s.suppressed = s.suppressed, 0
	s.next = now.Add(sampleEvery)
	return suppressed, true
}
