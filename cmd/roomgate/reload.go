package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
)

// reloads is when and how a server reads its settings anew. The zero value never does.
type reloads struct {
	signals <-chan os.Signal               // asks for it; nil: never
	load    func() (*config.Config, error) // from where they came from at the start
	level   *slog.LevelVar                 // of the log
	count   *prometheus.CounterVec         // by result
}

func newReloadCounter(r prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "roomgate_reloads_total",
		Help: "Times that the settings were read anew: ok, or failed, after which the old ones stay.",
	}, []string{"result"})
	for _, result := range []string{"ok", "failed"} {
		c.WithLabelValues(result)
	}
	r.MustRegister(c) // of a registry of our own
	return c
}

// keepSettings runs the verifier of the settings of now, and makes a signal's new settings those
// of now. It ends with ctx.
func (s *server) keepSettings(ctx context.Context) error {
	stop := runKeys(ctx, s.tokens.Load())
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.reloads.signals:
		}
		next, err := s.reload(ctx)
		if err != nil {
			s.reloads.count.WithLabelValues("failed").Inc()
			s.log.Error("the settings were not reloaded, and nothing has changed", slog.Any("errors", strings.Split(err.Error(), "\n")))
			continue
		}
		s.reloads.count.WithLabelValues("ok").Inc()
		if next != nil {
			stop()
			stop = next
		}
	}
}

// reload reads the settings anew, and takes over all of them that can change live, or, after an
// error, none. If there is a new verifier, stop ends what fetches its keys; otherwise it is nil.
func (s *server) reload(ctx context.Context) (stop func(), err error) {
	read, err := s.reloads.load()
	if err != nil {
		return nil, err
	}
	c, changed, stuck := s.settings().Take(read)
	limits, err := s.limits(c)
	if err != nil {
		return nil, err
	}
	var shown *tlsState
	if s.certificates != nil {
		if shown, err = s.certificates.read(); err != nil {
			return nil, err
		}
	}
	verifier := s.tokens.Load()
	if slices.ContainsFunc(changed, isForTokens) {
		if verifier, stop, err = s.replaceVerifier(ctx, c); err != nil {
			return nil, err
		}
	}
	o := gatewayOptions(c, limits.connections, s.log, s.metrics)
	o.Tokens = verifier
	if err := s.gateway.Reload(o); err != nil { // the last that can fail
		if stop != nil {
			stop()
		}
		return nil, err
	}
	s.tokens.Store(verifier)
	s.config.Store(c)
	s.budget.Store(limits)
	if shown != nil {
		s.certificates.use(shown)
	}
	s.reloads.level.Set(min(s.reloads.level.Level(), logLevel(c))) // whichever of them lets the next line through
	s.tellReload(c, changed, stuck)
	s.reloads.level.Set(logLevel(c))
	return stop, nil
}

// tellReload logs the names of what has changed, and no values: some are secrets.
func (s *server) tellReload(c *config.Config, changed, stuck []string) {
	attrs := []slog.Attr{slog.Any("changed", append([]string{}, changed...))} // none is [], not null
	level := slog.LevelInfo
	if len(stuck) > 0 {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("needs_restart", stuck))
	}
	s.log.LogAttrs(context.Background(), level, "the settings were reloaded", attrs...)
	for _, warning := range c.Warnings() {
		s.log.Warn(warning)
	}
}

// isForTokens reports whether the verifier is made of the setting.
func isForTokens(key string) bool {
	return strings.HasPrefix(key, "auth.") || strings.HasPrefix(key, "rooms.")
}

// replaceVerifier makes the verifier of c, and waits until it can verify: nobody is refused for
// keys that are still to be fetched. stop ends what fetches them.
func (s *server) replaceVerifier(ctx context.Context, c *config.Config) (v *auth.Verifier, stop func(), err error) {
	if v, err = newVerifier(c, s.broker, s.log, s.metrics); err != nil {
		return nil, nil, err
	}
	stop = runKeys(ctx, v)
	if awaitKeys(ctx, v); v.Ready() != nil {
		err = fmt.Errorf("the new keys could not be had within %v: %w", keysPatience, v.Ready())
		stop()
		return nil, nil, err
	}
	return v, stop, nil
}

// runKeys keeps the keys of v fresh until stop is called or ctx ends; stop waits for the end.
func runKeys(ctx context.Context, v *auth.Verifier) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = v.Run(ctx) // it fails only where it runs already
	}()
	return func() {
		cancel()
		<-done
	}
}

// awaitKeys waits until v is ready, or for a while.
func awaitKeys(ctx context.Context, v *auth.Verifier) {
	ctx, cancel := context.WithTimeout(ctx, keysPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for v.Ready() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
