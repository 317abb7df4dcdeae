//go:build linux

package main

import (
	"context"
	"os"

	"github.com/roomgate/roomgate/internal/load"
)

// floorPeer is a single-threaded reference without the duties of the others: see package floor. It is this program itself.
type floorPeer struct{ self string }

func (*floorPeer) name() string  { return "floor" }
func (*floorPeer) title() string { return "floor" }

func (p *floorPeer) prepare(context.Context, *rig) (err error) {
	p.self, err = os.Executable()
	return err
}

func (p *floorPeer) start(ctx context.Context, r *rig) (*subject, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	// Go would interrupt a thread that computes for 10 ms, to share it. It has nothing to share here.
	proc, err := start(addr, p.self, []string{floorVerb, "-addr", addr, "-redis", r.redis.addr, heartbeatArg}, "GODEBUG=asyncpreemptoff=1")
	if err != nil {
		return nil, err
	}
	return &subject{
		process: proc,
		clients: load.Options{
			URL:   "ws://" + addr + "/",
			Query: func(_ int, room string) string { return "room=" + room },
		},
		publisher: func(ctx context.Context) (publisher, error) { return roomPublisher(ctx, r) },
	}, proc.await(ctx, proc.listens)
}
