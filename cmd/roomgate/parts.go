package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// parts are what runs at the same time. They are started in order and stopped in reverse, one
// after the other, so that each finds those it needs. The zero value has none.
type parts struct {
	failed chan error // gets what ended without being asked; made by the first start
	stops  []func() error
}

// start runs a part in a goroutine of its own, which ends when stop has ended its context and run
// has returned. A run that returns before that has failed.
func (p *parts) start(name string, run func(context.Context) error) {
	if p.failed == nil {
		p.failed = make(chan error, 1) // the first failure ends all; later ones come with stop
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		if ctx.Err() == nil {
			select {
			case p.failed <- fmt.Errorf("%s ended by itself", name):
			default:
			}
		}
		ended <- err
	}()
	p.stops = append(p.stops, func() error {
		cancel()
		return <-ended
	})
}

// stop ends all parts and joins their errors.
func (p *parts) stop() error {
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		errs = append(errs, p.stops[i]())
	}
	return errors.Join(errs...)
}

// shutdownTime is what requests under way have to end. WebSocket connections are none: the
// gateway has taken them over.
const shutdownTime = time.Second

// serveHTTP is the run of an HTTP server.
func serveHTTP(server *http.Server, l net.Listener) func(context.Context) error {
	return func(ctx context.Context) error {
		// Ends what Shutdown has lost sight of: a WebSocket of http.upstream is two bare connections.
		requests, end := context.WithCancel(context.Background())
		defer end()
		server.BaseContext = func(net.Listener) context.Context { return requests }
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }() // ends with Shutdown or Close
		select {
		case err := <-served:
			return err
		case <-ctx.Done():
		}
		ending, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		err := server.Shutdown(ending)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		return err
	}
}
