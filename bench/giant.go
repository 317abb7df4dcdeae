//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roomgate/roomgate/internal/load"
)

// neighbours are quiet rooms without and with a giant one on the same server.
type neighbours struct {
	Machine machine       `json:"machine"`
	Command string        `json:"command"`
	Members int           `json:"members"` // of the giant
	Rate    float64       `json:"rate"`    // messages a second to it
	Without []measurement `json:"without"` // of the quiet rooms, one a round
	With    []measurement `json:"with"`
	Giant   []measurement `json:"giant"` // of the giant itself
}

// The quiet rooms, and the giant's rate.
const (
	quietRooms   = 100
	quietMembers = 10
	quietRate    = 100 // messages a second, over all of them
	giantRate    = 10
)

func giantVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	members := flags.Int("members", 15_000, "of the giant room")
	duration := flags.Duration("duration", 10*time.Second, "of one measurement")
	rounds := flags.Int("rounds", 3, "measurements of each, in turn")
	writes(flags, giantFile)
	if err := parse(flags, args); err != nil {
		return err
	}
	got := &neighbours{Machine: thisMachine(), Command: command(), Members: *members, Rate: giantRate}
	return rigged(ctx, "roomgate", func(r *rig, chosen []peer) error {
		steps := &plan{began: time.Now(), total: time.Duration(*rounds) * (2**duration + 10*time.Second)}
		for round := range *rounds {
			err := with(ctx, r, ticking{chosen[0], closeTick}, quietRooms*quietMembers, quietRooms, func(s *subject, quiet *load.Clients) error {
				return got.round(ctx, r, s, quiet, *duration)
			})
			if err != nil {
				return err
			}
			without, with, giant := got.Without[round], got.With[round], got.Giant[round]
			steps.step(2**duration+10*time.Second, "round %d of %d: quiet rooms p50 %.1f ms, p99 %.1f ms; beside the giant %.1f and %.1f ms%s; giant p99 %.1f ms%s",
				round+1, *rounds, without.P50, without.P99, with.P50, with.P99, with.trouble(), giant.P99, giant.trouble())
		}
		fmt.Println(got.table())
		return keep(flags, giantFile, got)
	})
}

// round measures the quiet rooms alone, and then beside the giant.
func (n *neighbours) round(ctx context.Context, r *rig, s *subject, quiet *load.Clients, d time.Duration) error {
	slow := flow{rate: quietRate, size: 128, duration: d}
	without, err := s.measure(ctx, r, quiet, slow)
	if err != nil {
		return err
	}
	crowd := *s
	crowd.clients.RoomName = func(int) string { return "giant" }
	all, err := crowd.dial(ctx, n.Members, 1)
	if err != nil {
		return err
	}
	defer func() { _ = all.Close() }() // its connections are all that it has
	var with, giant measurement
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		// It begins first and ends last, so that the quiet rooms never have the server for themselves.
		giant, err = crowd.measure(ctx, r, all, flow{rate: n.Rate, size: 128, duration: d + 2*time.Second})
		return err
	})
	g.Go(func() (err error) {
		if err := quiet.Idle(ctx, time.Second); err != nil {
			return err
		}
		with, err = s.measure(ctx, r, quiet, slow)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	n.Without, n.With, n.Giant = append(n.Without, without.shared()), append(n.With, with.shared()), append(n.Giant, giant.shared())
	return nil
}
