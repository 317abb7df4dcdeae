//go:build linux

package main

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// roomgate is ours, with its defaults, but for the heartbeat that all have and the open files that it sets
// aside. Its clients get bare payloads.
type roomgate struct {
	args    []string // more settings
	program string
	admin   string // where it was started last
}

func (*roomgate) name() string  { return "roomgate" }
func (*roomgate) title() string { return "**roomgate**" }

func (p *roomgate) prepare(ctx context.Context, r *rig) (err error) {
	p.program, err = r.build(ctx, "..", "./cmd/roomgate")
	return err
}

func (p *roomgate) start(ctx context.Context, r *rig) (*subject, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if p.admin, err = freeAddr(); err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--http.addr", addr, "--admin.addr", p.admin, "--redis.url", "redis://" + r.redis.addr,
		"--http.ping_interval", heartbeat.String(), "--log.level", "error",
		"--limits.handshakes", "200"}, p.args...) // so that 20,000 open files are enough for 18,500 clients, of which 64 connect at once
	proc, err := start(addr, p.program, args, "ROOMGATE_AUTH_SECRET="+secret)
	if err != nil {
		return nil, err
	}
	return &subject{
		process:   proc,
		clients:   load.Options{URL: "ws://" + addr + "/ws", Header: bearer},
		publisher: func(ctx context.Context) (publisher, error) { return roomPublisher(ctx, r) },
	}, proc.await(ctx, p.ready)
}

// adminClient is for pages that are there at once, or not at all.
var adminClient = &http.Client{Timeout: 2 * time.Second}

func (p *roomgate) ready() bool {
	r, err := adminClient.Get("http://" + p.admin + "/readyz")
	if err != nil {
		return false
	}
	_ = r.Body.Close() // its status is all that is wanted
	return r.StatusCode == http.StatusOK
}

// v1 changes o so that clients speak roomgate.v1, are ready with hello, and have a token for pattern.
func v1(o *load.Options, pattern string) {
	header := []string{"Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer " + token(pattern)}
	o.Header = func(int, string) []string { return header }
	o.Ready = func(frame []byte) bool { return bytes.HasPrefix(frame, []byte(`{"type":"hello"`)) }
}
