//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/roomgate/roomgate/internal/load"
)

// joiners is how many clients join and leave at the same time. Each waits for one answer before the next.
const joiners = 16

// A joinsPoint is clients that join and leave a room which others stay in.
type joinsPoint struct {
	Members int     `json:"members"`   // who stay
	Pairs   float64 `json:"pairs"`     // joins, each with its leave, a second
	Server  float64 `json:"server_us"` // CPU of the server for each such pair, in µs
	Seconds float64 `json:"secs"`
}

func (g *growing) joins(ctx context.Context) error {
	gate := &roomgate{args: []string{"--limits.messages_per_minute", "0"}}
	if err := gate.prepare(ctx, g.rig); err != nil {
		return err
	}
	for _, members := range growthMembers {
		err := with(ctx, g.rig, gate, members, 1, func(s *subject, c *load.Clients) error {
			point, err := joinAndLeave(ctx, s, c, g.duration)
			g.into.Joins = append(g.into.Joins, point)
			g.plan.step(g.each(), "%d members: %.0f joins and leaves a second, %.2f µs for both", members, point.Pairs, point.Server)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// joinAndLeave measures for d, after a warm-up, joins into the room that c's clients are in.
func joinAndLeave(ctx context.Context, s *subject, c *load.Clients, d time.Duration) (joinsPoint, error) {
	var pairs atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	for range joiners {
		g.Go(func() error { return join(ctx, s.addr, "bench-0", &pairs) })
	}
	got := joinsPoint{Members: c.Len(), Seconds: d.Seconds()}
	g.Go(func() error {
		defer cancel()
		if err := c.Idle(ctx, warm); err != nil {
			return err
		}
		began, before := time.Now(), pairs.Load()
		cpu, err := s.cpu()
		if err != nil {
			return err
		}
		if err := c.Idle(ctx, d); err != nil {
			return err
		}
		used, err := s.since(cpu)
		done := float64(pairs.Load() - before)
		if err == nil && done == 0 {
			err = fmt.Errorf("nobody joined and left within %v", d)
		}
		got.Pairs, got.Server = done/time.Since(began).Seconds(), micros(used)/done
		return err
	})
	err := g.Wait() // before got is read
	return got, err
}

// join joins and leaves a room over and over, until ctx ends.
func join(ctx context.Context, addr, room string, pairs *atomic.Int64) error {
	ws, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws?room=of-my-own", &websocket.DialOptions{ //nolint:bodyclose // Dial takes the body over
		Subprotocols: []string{"roomgate.v1"},
		HTTPHeader:   http.Header{"Authorization": {"Bearer " + token("*")}},
	})
	if err != nil {
		return fmt.Errorf("a client that joins and leaves: %w", err)
	}
	defer func() { _ = ws.CloseNow() }()
	if err := await(ctx, ws, "hello"); err != nil {
		return err
	}
	subscribe := fmt.Appendf(nil, `{"type":"subscribe","room":%q}`, room)
	unsubscribe := fmt.Appendf(nil, `{"type":"unsubscribe","room":%q}`, room)
	for {
		for _, step := range []struct {
			frame  []byte
			answer string
		}{{subscribe, "subscribed"}, {unsubscribe, "unsubscribed"}} {
			err := ws.Write(ctx, websocket.MessageText, step.frame)
			if err == nil {
				err = await(ctx, ws, step.answer)
			}
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
		}
		pairs.Add(1)
	}
}

// await reads the next frame, which must be of a type.
func await(ctx context.Context, ws *websocket.Conn, kind string) error {
	_, frame, err := ws.Read(ctx)
	if err == nil && !bytes.HasPrefix(frame, fmt.Appendf(nil, `{"type":%q`, kind)) {
		err = fmt.Errorf("got %s, want %s", frame, kind)
	}
	return err
}
