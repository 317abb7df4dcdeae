//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// centrifuge is a server on the library of Centrifugo: peers/centrifuge.
type centrifuge struct {
	delay   time.Duration // how long it collects a client's messages before it writes them
	program string
}

func (p *centrifuge) name() string {
	if p.delay > 0 {
		return "centrifuge-delay"
	}
	return "centrifuge"
}

func (p *centrifuge) title() string {
	if p.delay > 0 {
		return fmt.Sprintf("centrifuge, write delay %v", p.delay)
	}
	return "centrifuge"
}

func (p *centrifuge) prepare(ctx context.Context, r *rig) (err error) {
	p.program, err = r.build(ctx, ".", "./peers/centrifuge")
	return err
}

func (p *centrifuge) start(ctx context.Context, r *rig) (*subject, error) {
	proc, err := startGo(ctx, r, p.program, "-write-delay", p.delay.String())
	if err != nil {
		return nil, err
	}
	pong := []byte("{}")
	return &subject{
		process: proc,
		clients: load.Options{
			URL: "ws://" + proc.addr + "/",
			Hello: func(_ int, room string) [][]byte {
				return [][]byte{fmt.Appendf(nil, `{"id":1,"connect":{"token":%q}}`, token(room))}
			},
			Ready: func(frame []byte) bool { return bytes.Contains(frame, []byte(`"subs":{`)) },
			Answer: func(frame []byte) []byte {
				if bytes.Equal(frame, pong) { // a ping looks the same
					return pong
				}
				return nil
			},
		},
		publisher: func(ctx context.Context) (publisher, error) { return roomPublisher(ctx, r) },
	}, nil
}
