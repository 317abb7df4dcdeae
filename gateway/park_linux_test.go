package gateway

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// Connections are parked, woken, split in the middle of a frame, ended and killed at random,
// also by stale events: each is cleaned up once, and nothing is left.
func TestParkingAgainstKillingLeavesNothing(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.PingInterval, o.PongTimeout = 50*time.Millisecond, 30*time.Millisecond })
	token := w.token("a")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			for _, c := range w.all() {
				switch rand.IntN(12) {
				case 0:
					c.kill()
				case 1:
					c.end(endDrain)
				case 2:
					wg.Go(c.kill)
					wg.Go(func() { c.end(endStop) })
				case 3:
					c.readable() // a stale event
				}
			}
			w.publishText("a", `"x"`)
			time.Sleep(2 * time.Millisecond)
		}
	})
	for range 40 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if c, err := wstest.Try(t, w.url, v1, "Authorization: Bearer "+token); err == nil {
					beErratic(ctx, c)
					c.Drop()
				}
			}
		})
	}
	wg.Wait()
	w.await("nothing is left", func() bool {
		w.poller.mu.Lock()
		defer w.poller.mu.Unlock()
		return w.Connections() == 0 && w.admitted.Load() == 0 && w.backlog.owed.Load() == 0 && len(w.poller.conns) == 0
	})
	w.await("nobody is in the room", func() bool { return w.members("a") == 0 })
}

// beErratic sends frames, some of them in two pieces, until the connection ends.
func beErratic(ctx context.Context, c *wstest.Client) {
	pong := wstest.AppendFrame(nil, 0x8A, nil)
	for ctx.Err() == nil {
		b := pong
		switch rand.IntN(4) {
		case 0:
			b = wstest.AppendFrame(nil, 0x89, []byte("x"))
		case 1:
			b = wstest.AppendFrame(nil, 0x81, []byte(`{"type":"ping"}`))
		case 2:
			if c.RawErr(b[:3]) != nil {
				return
			}
			time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
			b = b[3:]
		}
		if c.RawErr(b) != nil {
			return
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	}
}
