//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

func peersVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	list := flags.String("peers", "", "which, with commas between; empty: those of the table")
	scenarios := flags.String("scenarios", "", "which of "+strings.Join(scenarioNames(), ",")+"; all without")
	rounds := flags.Int("rounds", 3, "how often each rate is measured, and memory and connecting; the table has medians")
	duration := flags.Duration("duration", 3*time.Second, "of one measurement")
	resting := calmFlags(flags, 10_000, 18_500)
	writes(flags, peersFile)
	if err := errors.Join(parse(flags, args), resting.check()); err != nil {
		return err
	}
	var want []string
	if *scenarios != "" {
		want = strings.Split(*scenarios, ",")
	}
	for _, name := range want {
		if !slices.Contains(scenarioNames(), name) {
			return fmt.Errorf("-scenarios: %q is none of %s", name, strings.Join(scenarioNames(), ","))
		}
	}
	return rigged(ctx, *list, func(r *rig, chosen []peer) error {
		got := newComparison(chosen, *rounds, *duration)
		c := &comparing{rig: r, peers: chosen, rounds: *rounds, duration: *duration, stages: stages, want: want, calm: *resting, into: got}
		if err := c.compare(ctx); err != nil {
			return err
		}
		fmt.Println(got.table())
		return keep(flags, peersFile, got)
	})
}

// command is what this process was called with.
func command() string { return "go run . " + strings.Join(os.Args[1:], " ") }

func calmFlags(flags *flag.FlagSet, memory, cpu int) *calm {
	c := &calm{}
	flags.IntVar(&c.memory, "connections", memory, "idle connections at which memory is measured")
	flags.IntVar(&c.cpu, "idle-connections", cpu, "idle connections at which CPU is measured; 0: it is not")
	flags.DurationVar(&c.settle, "settle", 5*time.Second, "time before memory is measured")
	flags.DurationVar(&c.period, "idle-duration", defaultPeriod, "how long the CPU of idle connections is measured: a multiple of the heartbeat, "+heartbeat.String())
	return c
}

func idleVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	list := flags.String("peers", "roomgate", "which, with commas between; empty: those of the table")
	resting := calmFlags(flags, 10_000, 18_500)
	if err := errors.Join(parse(flags, args), resting.check()); err != nil {
		return err
	}
	return printRest(ctx, *list, *resting)
}

func connectVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	list := flags.String("peers", "roomgate", "which, with commas between; empty: those of the table")
	resting := calm{}
	flags.IntVar(&resting.memory, "connections", 10_000, "how many connect")
	if err := errors.Join(parse(flags, args), resting.check()); err != nil {
		return err
	}
	return printRest(ctx, *list, resting)
}

func printRest(ctx context.Context, list string, c calm) error {
	return rigged(ctx, list, func(r *rig, chosen []peer) error {
		for _, p := range chosen {
			got, err := c.measure(ctx, r, p)
			if err != nil {
				return err
			}
			fmt.Printf("%s: %s\n", p.name(), got)
		}
		return nil
	})
}

func fanoutVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	members := flags.Int("members", 1000, "connections in the room")
	f := flow{}
	flags.IntVar(&f.size, "size", 128, fmt.Sprintf("bytes of a message, at least %d", load.MinSize))
	flags.Float64Var(&f.rate, "rate", 50, "messages a second")
	flags.DurationVar(&f.duration, "duration", 5*time.Second, "of one measurement")
	rounds := flags.Int("rounds", 5, "measurements of each, in turn")
	if err := errors.Join(parse(flags, args), f.check()); err != nil {
		return err
	}
	return rigged(ctx, "floor,roomgate", func(r *rig, chosen []peer) error {
		fmt.Printf("fan-out: %d members, %d B, %.0f messages/s, %d rounds of %v each\n", *members, f.size, f.rate, *rounds, f.duration)
		var times []float64
		costs := make([][]float64, len(chosen))
		for round := range *rounds {
			for i, p := range chosen {
				err := with(ctx, r, p, *members, 1, func(s *subject, c *load.Clients) error {
					got, err := s.measure(ctx, r, c, f)
					if err == nil && !got.whole() {
						err = fmt.Errorf("not all came once and in order%s: the machine is too busy for this rate", got.trouble())
					}
					costs[i] = append(costs[i], got.Server)
					return err
				})
				if err != nil {
					return err
				}
			}
			floor, gate := costs[0][round], costs[1][round]
			times = append(times, gate/floor)
			fmt.Printf("round %d: floor %.2f µs, roomgate %.2f µs, ratio %.2f\n", round+1, floor, gate, gate/floor)
		}
		fmt.Printf("median: floor %.2f µs a delivery, roomgate %.2f µs, ratio %.2f\n", median(costs[0]), median(costs[1]), median(times))
		return nil
	})
}
