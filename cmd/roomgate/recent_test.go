package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// newRecentLog returns a log whose warnings are kept.
func newRecentLog(t *testing.T) (*slog.Logger, *recent) {
	kept := newRecent()
	return secrecy.Log(t, kept), kept
}

func TestLastHundredWarningsAreKeptTheNewestFirst(t *testing.T) {
	log, kept := newRecentLog(t)
	if got := kept.events(); len(got) != 0 {
		t.Errorf("before the first: got %v", got)
	}
	for i := range 150 {
		log.Warn(fmt.Sprint("warning ", i))
		log.Info("no warning")
	}
	got := kept.events()
	if len(got) != recentMost || got[0].Message != "warning 149" || got[recentMost-1].Message != "warning 50" {
		t.Errorf("got %d, from %q to %q, want the last hundred warnings", len(got), got[0].Message, got[len(got)-1].Message)
	}
}

func TestAFloodOfOneKindPushesOutNoOther(t *testing.T) {
	log, kept := newRecentLog(t)
	log.Error("redis connection lost")
	for range 1000 {
		log.Warn("security", "event", "auth_failed")
	}
	log.Warn("security", "event", "origin_refused")
	got := kept.events()
	if len(got) != recentOfKind+2 || got[0].Event != "origin_refused" || got[len(got)-1].Message != "redis connection lost" {
		t.Errorf("got %d, from %+v to %+v, want the last %d of the flood between the two others", len(got), got[0], got[len(got)-1], recentOfKind)
	}
}

func TestKeptWarningHasItsEventAndAttributesAndThoseOfItsLogger(t *testing.T) {
	log, kept := newRecentLog(t)
	log.With("redis", "redis://here:6379").WithGroup("").Error("lost", "event", "redis_lost", "error", errors.New("broken pipe"), "took", 1500*time.Millisecond)
	got := kept.events()[0]
	want := map[string]string{"redis": "redis://here:6379", "error": "broken pipe", "took": "1.5s"}
	if got.Level != "ERROR" || got.Event != "redis_lost" || got.Message != "lost" || fmt.Sprint(got.Attributes) != fmt.Sprint(want) {
		t.Errorf("got %+v, want redis_lost with %v", got, want)
	}
}

func TestKeptWarningHasABound(t *testing.T) {
	log, kept := newRecentLog(t)
	var many []any
	for i := range 100 {
		many = append(many, fmt.Sprint("key", i), strings.Repeat("x", 10_000))
	}
	log.Warn(strings.Repeat("y", 10_000), many...)
	got := kept.events()[0]
	if n := len(got.Attributes); n != recentAttrs {
		t.Errorf("%d attributes, want %d", n, recentAttrs)
	}
	for _, text := range append([]string{got.Message}, got.Attributes["key0"]) {
		if len(text) > recentTextBytes+len("…") {
			t.Errorf("a text of %d bytes is kept, want its beginning", len(text))
		}
	}
}
