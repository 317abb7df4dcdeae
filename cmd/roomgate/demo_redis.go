package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// A demoRedis is the demo's own Redis, which can be stopped and started again while it serves.
type demoRedis struct {
	addr string // host:port; it stays the same

	mu      sync.Mutex // guards what follows
	server  *miniredis.Miniredis
	stopped bool // by pause
	closed  bool // for good
}

// startRedis starts the demo's Redis, where redis-cli looks for one if that port is free.
func startRedis() (*demoRedis, error) {
	server := miniredis.NewMiniRedis()
	if server.StartAddr(demoRedisAddr) != nil {
		server = miniredis.NewMiniRedis()
		if err := server.StartAddr(demoAnyPort); err != nil {
			return nil, fmt.Errorf("starting the demo's Redis: %w", err)
		}
	}
	return &demoRedis{addr: server.Addr(), server: server}, nil
}

// close stops it for good.
func (r *demoRedis) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.server.Close()
}

// publish returns how many subscribers took the message; running is false if it is stopped.
func (r *demoRedis) publish(channel, message string) (subscribers int, running bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || r.closed {
		return 0, false
	}
	return r.server.Publish(channel, message), true
}

// pause stops it for as long as d, or until ctx ends, and starts it again on its port unless it was
// closed meanwhile.
func (r *demoRedis) pause(ctx context.Context, d time.Duration) error {
	r.mu.Lock()
	r.stopped = true
	r.server.Close()
	r.mu.Unlock()

	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	if err := r.server.Restart(); err != nil {
		return fmt.Errorf("starting the demo's Redis again: %w: end this demo, and start another", err)
	}
	r.stopped = false
	return nil
}
