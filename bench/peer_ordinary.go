//go:build linux

package main

import (
	"context"

	"github.com/roomgate/roomgate/internal/load"
)

// ordinary is a relay written as is usual around a WebSocket library: see package peers/ordinary.
type ordinary struct {
	folder  string // of its program, and its name
	heading string
	program string
}

var (
	gorilla = ordinary{folder: "gorilla", heading: "gorilla/websocket"}
	coder   = ordinary{folder: "coder", heading: "coder/websocket"}
)

func (p *ordinary) name() string  { return p.folder }
func (p *ordinary) title() string { return p.heading }

func (p *ordinary) prepare(ctx context.Context, r *rig) (err error) {
	p.program, err = r.build(ctx, ".", "./peers/"+p.folder)
	return err
}

func (p *ordinary) start(ctx context.Context, r *rig) (*subject, error) {
	proc, err := startGo(ctx, r, p.program)
	if err != nil {
		return nil, err
	}
	return &subject{
		process:   proc,
		clients:   load.Options{URL: "ws://" + proc.addr + "/", Header: bearer},
		publisher: func(ctx context.Context) (publisher, error) { return roomPublisher(ctx, r) },
	}, nil
}
