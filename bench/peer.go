//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// A peer is a server that can be measured.
type peer interface {
	name() string  // in flags and results
	title() string // in the table

	// prepare builds or finds the program, once a run. Its error says how to install what is missing.
	prepare(ctx context.Context, r *rig) error

	// start starts the program, and returns when clients may come.
	start(ctx context.Context, r *rig) (*subject, error)
}

// A subject is a peer that runs.
type subject struct {
	*process
	clients   load.Options                             // how clients connect; without Connections and Rooms
	publisher func(context.Context) (publisher, error) // a new one, to be closed; it waits for nobody once ctx has ended
}

// dial connects clients in rooms of their own, or shared ones.
func (s *subject) dial(ctx context.Context, connections, rooms int) (*load.Clients, error) {
	o := s.clients
	o.Connections, o.Rooms = connections, rooms
	c, err := load.Dial(ctx, o, nil)
	if err != nil {
		return nil, fmt.Errorf("connecting %d clients: %w", connections, err)
	}
	return c, nil
}

// closeTick is the tick of clients where latency is the figure.
const closeTick = time.Millisecond

// ticking is a peer whose clients look at their sockets at a tick of its own.
type ticking struct {
	peer
	tick time.Duration // mean, between two looks; 0: the default of package load
}

func (t ticking) start(ctx context.Context, r *rig) (*subject, error) {
	s, err := t.peer.start(ctx, r)
	if s != nil {
		s.clients.Tick = t.tick
	}
	return s, err
}

// allPeers are in the order of the table's columns. What the others cost is told in multiples of the floor.
func allPeers() []peer { return append(tablePeers(), &centrifuge{delay: 5 * time.Millisecond}) }

// tablePeers are those that are measured if no others are asked for.
func tablePeers() []peer {
	return []peer{&floorPeer{}, &roomgate{}, &nchan{}, &centrifuge{}, &gorilla, &coder, &socketIO{}}
}

// choose returns the peers that a flag lists, prepared.
func choose(ctx context.Context, r *rig, list string) ([]peer, error) {
	all := allPeers()
	var chosen []peer
	var known []string
	for _, p := range all {
		known = append(known, p.name())
	}
	names := known[:len(tablePeers())]
	if list != "" {
		names = strings.Split(list, ",")
	}
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, fmt.Errorf("-peers: %q is none of %s", name, strings.Join(known, ","))
		}
		if err := all[i].prepare(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: %w; or leave it out with -peers", name, err)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// startGo starts a peer's program that takes the flags which all of ours take.
func startGo(ctx context.Context, r *rig, program string, args ...string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p, err := start(addr, program, append(args, "-addr", addr, "-redis", r.redis.addr, heartbeatArg), secretEnv)
	if err != nil {
		return nil, err
	}
	return p, p.await(ctx, p.listens)
}
