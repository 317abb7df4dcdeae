//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// growth is how costs change when one number grows and all else stays.
type growth struct {
	Machine     machine        `json:"machine"`
	Command     string         `json:"command"`
	Members     []membersPoint `json:"members"`
	Connections []rest         `json:"connections"`
	Rooms       []roomsPoint   `json:"rooms"`
	Joins       []joinsPoint   `json:"joins"`
}

// A membersPoint is one room, with the same number of deliveries a second whatever its size.
type membersPoint struct {
	Members  int           `json:"members"`
	Floor    []measurement `json:"floor"` // one a round
	Roomgate []measurement `json:"roomgate"`
}

// A roomsPoint is the same number of messages a second over all rooms, each of one member.
type roomsPoint struct {
	Rooms       int         `json:"rooms"`
	Connections int         `json:"connections"` // each is in Rooms/Connections rooms
	Got         measurement `json:"got"`
}

// What grows, and what stays.
var (
	growthMembers     = []int{10, 100, 1000, 10_000}
	growthConnections = []int{1000, 2000, 5000, 10_000, 18_000}
	growthRooms       = []int{1, 10, 100, 1000, 10_000, 50_000}
)

const (
	growthDeliveries = 20_000 // a second, to members
	growthMessages   = 5000   // a second, to rooms
	roomsConnections = 10_000 // at most, to be in all rooms
)

// A growing is a run of the verb growth.
type growing struct {
	rig      *rig
	rounds   int
	duration time.Duration // of one measurement
	calm     calm
	plan     *plan
	into     *growth
}

func growthVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	g := growing{into: &growth{Machine: thisMachine(), Command: command()}}
	const parts = "members,connections,rooms,joins"
	list := flags.String("parts", parts, "which, with commas between")
	flags.IntVar(&g.rounds, "rounds", 3, "how often the cost at each number of members is measured")
	flags.DurationVar(&g.duration, "duration", 5*time.Second, "of one measurement")
	flags.DurationVar(&g.calm.settle, "settle", 5*time.Second, "time before memory is measured")
	flags.DurationVar(&g.calm.period, "idle-duration", defaultPeriod, "how long the CPU of idle connections is measured: a multiple of the heartbeat, "+heartbeat.String())
	writes(flags, growthFile)
	if err := errors.Join(parse(flags, args), calm{memory: 1, cpu: 1, period: g.calm.period}.check()); err != nil {
		return err
	}
	measure := map[string]func(context.Context) error{"members": g.members, "connections": g.connections, "rooms": g.rooms, "joins": g.joins}
	for _, part := range strings.Split(*list, ",") {
		if measure[part] == nil {
			return fmt.Errorf("-parts: %q is none of %s", part, parts)
		}
	}
	return rigged(ctx, "roomgate,floor", func(r *rig, _ []peer) error {
		g.rig = r
		g.plan = &plan{began: time.Now(), total: g.estimate(*list)}
		for _, part := range strings.Split(*list, ",") {
			if err := measure[part](ctx); err != nil {
				return fmt.Errorf("%s: %w", part, err)
			}
		}
		fmt.Println(g.into.tables())
		return keep(flags, growthFile, g.into)
	})
}

// each is the time of one measurement, with what comes before it.
func (g *growing) each() time.Duration { return g.duration + warm + 2*time.Second }

func (g *growing) estimate(parts string) (sum time.Duration) {
	for _, part := range strings.Split(parts, ",") {
		switch part {
		case "members":
			sum += time.Duration(2*g.rounds*len(growthMembers)) * g.each()
		case "connections":
			sum += time.Duration(len(growthConnections)) * g.calm.time()
		case "rooms":
			sum += time.Duration(len(growthRooms)) * g.each()
		case "joins":
			sum += time.Duration(len(growthMembers)) * g.each()
		}
	}
	return sum
}

func (g *growing) members(ctx context.Context) error {
	floor, gate := &floorPeer{}, &roomgate{}
	if err := prepare(ctx, g.rig, floor, gate); err != nil {
		return err
	}
	g.into.Members = make([]membersPoint, len(growthMembers))
	for round := range g.rounds {
		for i, members := range growthMembers {
			point := &g.into.Members[i]
			point.Members = members
			f := flow{rate: growthDeliveries / float64(members), size: 128, duration: g.duration}
			for _, one := range []struct {
				peer peer
				into *[]measurement
			}{{floor, &point.Floor}, {gate, &point.Roomgate}} {
				err := with(ctx, g.rig, one.peer, members, 1, func(s *subject, c *load.Clients) error {
					got, err := s.measure(ctx, g.rig, c, f)
					*one.into = append(*one.into, got)
					g.plan.step(g.each(), "round %d of %d, %d members, %s: %.2f µs a delivery%s",
						round+1, g.rounds, members, one.peer.name(), got.Server, got.trouble())
					return err
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (g *growing) connections(ctx context.Context) error {
	gate := &roomgate{}
	if err := gate.prepare(ctx, g.rig); err != nil {
		return err
	}
	for _, n := range growthConnections {
		got, err := calm{memory: n, cpu: n, settle: g.calm.settle, period: g.calm.period}.measure(ctx, g.rig, gate)
		if err != nil {
			return err
		}
		g.into.Connections = append(g.into.Connections, got)
		g.plan.step(g.calm.time(), "%d connections: %s", n, got)
	}
	return nil
}

// rooms puts each client into as many rooms as there are for it. What is published to a client's room
// of the load goes to these in turn, and so each of them gets messages.
func (g *growing) rooms(ctx context.Context) error {
	gate := &roomgate{}
	if err := gate.prepare(ctx, g.rig); err != nil {
		return err
	}
	for _, rooms := range growthRooms {
		connections := min(rooms, roomsConnections)
		share := rooms / connections
		err := func() error {
			s, err := gate.start(ctx, g.rig)
			if err != nil {
				return err
			}
			defer s.stop()
			v1(&s.clients, "bench-*")
			s.clients.Query = func(_ int, room string) string {
				q := url.Values{}
				for k := range share {
					q.Add("room", room+"-"+strconv.Itoa(k))
				}
				return q.Encode()
			}
			c, err := s.dial(ctx, connections, connections)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }() // its connections are all that it has
			got, err := s.measure(ctx, g.rig, c, flow{
				rate: growthMessages, size: 128, duration: max(g.duration, time.Duration(rooms/growthMessages)*time.Second),
				rename: func(room string, i int) string { return room + "-" + strconv.Itoa(i/connections%share) },
			})
			g.into.Rooms = append(g.into.Rooms, roomsPoint{rooms, connections, got})
			g.plan.step(g.each(), "%d rooms: %.2f µs a message%s", rooms, got.Server, got.trouble())
			return err
		}()
		if err != nil {
			return fmt.Errorf("%d rooms: %w", rooms, err)
		}
	}
	return nil
}

// prepare prepares peers.
func prepare(ctx context.Context, r *rig, peers ...peer) error {
	for _, p := range peers {
		if err := p.prepare(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", p.name(), err)
		}
	}
	return nil
}
