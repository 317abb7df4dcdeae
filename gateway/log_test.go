package gateway

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// endsLogged lets clients with good tokens come and go, where burst lines may tell of it, and
// returns how many did.
func endsLogged(t *testing.T, level slog.Level, clients, burst int) int {
	t.Helper()
	before := endRate
	defer func() { endRate = before }()
	endRate = paceLimit{interval: time.Hour, burst: burst}
	var logs logBuffer
	t.Run("storm", func(t *testing.T) { // the world has ended when this has, and all is logged
		w := newWorld(t, func(o *Options) {
			o.Log = slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: level})) //nolint:forbidigo // the log of secrecy is for debug, and the level is what is tested
		})
		for range clients {
			w.dialV1(w.token("42")).Drop()
		}
		w.await("all gone", func() bool { return w.Connections() == 0 })
	})
	return strings.Count(logs.String(), `"event":"connection_closed"`)
}

func TestClientsWithGoodTokensCannotFloodTheLog(t *testing.T) {
	if got := endsLogged(t, slog.LevelInfo, 20, 5); got != 5 {
		t.Errorf("%d lines for 20 ends, want as many as may be: 5", got)
	}
}

func TestLogAtDebugLevelHasTheEndOfEachConnection(t *testing.T) {
	if got := endsLogged(t, slog.LevelDebug, 20, 5); got != 20 {
		t.Errorf("%d lines for 20 ends, want each", got)
	}
}

func TestSampledLineCountsThoseBeforeItThatWereNot(t *testing.T) {
	var s sampler
	rate := paceLimit{interval: time.Second, burst: 2}
	for i, want := range []bool{true, true, false, false, false} {
		if _, ok := s.take("event", rate, 0); ok != want {
			t.Errorf("line %d: written %v, want %v", i, ok, want)
		}
	}
	if _, ok := s.take("another", rate, 0); !ok {
		t.Error("one kind of event holds back another")
	}
	if suppressed, ok := s.take("event", rate, int64(time.Second)); !ok || suppressed != 3 {
		t.Errorf("a second later: written %v after %d others, want true after 3", ok, suppressed)
	}
}
