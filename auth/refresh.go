package auth

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	refreshEvery = 5 * time.Minute // ± a tenth
	minBackoff   = time.Second     // after a failure; twice as long after each further one
	maxBackoff   = time.Minute
	defaultStale = 24 * time.Hour
)

// run fetches until ctx ends.
func (f *fetchedKeys) run(ctx context.Context) {
	defer f.stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.wake:
		}
		f.begin()
		err := f.refresh(ctx)
		f.end(err)
		timer.Reset(f.pause(err))
	}
}

// begin starts an attempt, or the one that was asked for.
func (f *fetchedKeys) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.wake: // came together with the timer
	default:
	}
	if f.attempt == nil {
		f.attempt = &attempt{done: make(chan struct{})}
	}
}

func (f *fetchedKeys) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = err
	close(f.attempt.done)
	f.attempt = nil
}

// stop lets go of those who wait for an attempt that will not be made.
func (f *fetchedKeys) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.failure = cmp.Or(f.failure, errStopped)
	if f.attempt != nil {
		close(f.attempt.done)
		f.attempt = nil
	}
}

// pause is how long to wait after an attempt: with jitter, so that replicas do not ask together.
func (f *fetchedKeys) pause(err error) time.Duration {
	if err == nil {
		f.failures = 0
		return refreshEvery*9/10 + rand.N(refreshEvery/5)
	}
	backoff := min(minBackoff<<min(f.failures, 10), maxBackoff)
	f.failures++
	return backoff/2 + rand.N(backoff/2)
}

// refresh fetches once. It tells the log and the metrics how it went.
func (f *fetchedKeys) refresh(ctx context.Context) error {
	asked := time.Now()
	body, err := f.endpoint.fetch(ctx)
	var set *keySet
	var warnings []string
	if err == nil {
		set, warnings, err = parseKeySet(body, f.algorithms)
	}
	if err != nil {
		if ctx.Err() == nil {
			f.metrics.failed.Inc()
			f.log.Warn("keys not fetched", slog.String("event", "keys_failed"), slog.String("error", err.Error()))
		}
		return err
	}
	set.asked = asked
	before := f.current.Swap(set)
	f.metrics.fetched(set)
	if before == nil || f.failures > 0 || before.size != set.size {
		f.log.Info("keys fetched", slog.String("event", "keys_fetched"), slog.Int("keys", set.size))
	}
	if !slices.Equal(warnings, f.warned) {
		f.warned = warnings
		for _, w := range warnings {
			f.log.Warn("key set: "+w, slog.String("event", "keys_warning"))
		}
	}
	return nil
}
