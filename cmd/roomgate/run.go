package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

const (
	progressEvery = time.Second      // between two log lines of a drain
	drainSlack    = 10 * time.Second // after drain.delay and drain.period, for clients that answer slowly
)

// run serves until a signal comes, and then drains; or until ctx ends or a part fails, and then
// stops at once. It owns l. Its error is nil if nobody was cut off.
func (s *server) run(ctx context.Context, l listeners, signals <-chan os.Signal) error {
	began := time.Now()
	var running parts
	if l.admin != nil { // first, so that it is there to the end
		running.start("admin listener", serveHTTP(s.adminServer(), l.admin))
		running.start("history", s.history.Run)
	}
	running.start("pubsub", func(ctx context.Context) error { return s.broker.Run(ctx, s.gateway) })
	running.start("settings", s.keepSettings)
	if s.certificates != nil {
		running.start("certificate", s.certificates.run)
	}
	running.start("memory", new(trimmer).run)
	running.start("gateway", s.gateway.Run)
	running.start("listener", serveHTTP(s.frontServer(), s.secured(l.front)))

	var why error
	select {
	case signal := <-signals:
		why = s.drain(ctx, signal, signals, running.failed)
	case why = <-running.failed:
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.gateway.StopAdmitting()
	cut := s.gateway.Connections()
	err := errors.Join(why, running.stop())
	if s.upstream != nil {
		s.upstream.close()
	}
	if cut > 0 {
		err = errors.Join(err, fmt.Errorf("%d connections were cut off", cut))
	}
	s.log.Info("stopped", slog.Int("cut", cut), slog.Duration("uptime", time.Since(began)))
	return err
}

// drain ends all connections as the settings say. It returns nil when none is left, or when a
// second signal or the end of ctx cuts it short; an error if a part fails meanwhile.
func (s *server) drain(ctx context.Context, first os.Signal, signals <-chan os.Signal, failed <-chan error) error {
	began := time.Now()
	delay, period := s.settings().Drain.Delay, s.settings().Drain.Period
	s.draining.Store(true) // the gateway still lets clients in until load balancers have seen it
	s.drained.Store(&drainOverview{Began: began, Delay: measure(delay.Seconds()), Period: measure(period.Seconds())})
	s.log.Info("draining", slog.String("signal", first.String()), slog.Int("connections", s.gateway.Connections()),
		slog.Duration("delay", delay), slog.Duration("period", period))

	ctx, cancel := context.WithTimeout(ctx, delay+period+drainSlack)
	defer cancel()
	drained := make(chan bool, 1)
	go func() { drained <- s.drainAfter(ctx, delay, period) == nil }() // ends with ctx, and is waited for
	progress := time.NewTicker(progressEvery)
	defer progress.Stop()
	for {
		select {
		case complete := <-drained:
			s.log.Info("drained", slog.Bool("complete", complete), slog.Duration("took", time.Since(began)))
			return nil // whoever is left is counted by run
		case <-progress.C:
			s.log.Info("draining", slog.Int("connections", s.gateway.Connections()), slog.Duration("took", time.Since(began)))
		case second := <-signals:
			s.log.Warn("second signal: ending at once", slog.String("signal", second.String()))
			cancel()
			<-drained
			return nil
		case err := <-failed:
			cancel()
			<-drained
			return err
		}
	}
}

// drainAfter waits for delay, in which load balancers see that we are not ready, and drains.
func (s *server) drainAfter(ctx context.Context, delay, period time.Duration) error {
	select {
	case <-time.After(delay):
		closing := *s.drained.Load()
		closing.Closing, closing.Total = true, s.gateway.Connections()
		s.drained.Store(&closing)
		return s.gateway.Drain(ctx, period)
	case <-ctx.Done():
		return ctx.Err()
	}
}
