//go:build linux

// Command bench measures roomgate beside its peers, and how its costs grow. Each server is a process of
// its own beside one Redis; this process is all the clients. What others cost is told as multiples of
// the floor, a single-threaded reference without their duties: only such ratios mean something on another
// machine.
//
// docs/benchmarks.md says what is measured, how, and what is unfair to whom.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"time"

	"github.com/roomgate/roomgate/bench/peers/floor"
)

// floorVerb is for the child process that is the floor.
const floorVerb = "floor"

// A verb is what the first argument asks for. It defines its flags, parses args, and runs.
type verb struct {
	name, about string
	run         func(ctx context.Context, flags *flag.FlagSet, args []string) error
}

// parse reads a verb's flags, which are all that it takes. Their numbers are more than 0, but for those that may be it.
func parse(flags *flag.FlagSet, args []string) (err error) {
	_ = flags.Parse(args) // ExitOnError
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: %s takes only flags; -h lists them", flags.Arg(0), flags.Name())
	}
	flags.VisitAll(func(f *flag.Flag) {
		value := 1.0
		switch v := f.Value.(flag.Getter).Get().(type) {
		case int:
			value = float64(v)
		case float64:
			value = v
		case time.Duration:
			value = float64(v)
		}
		if zero := value == 0 && (f.Name == "idle-connections" || f.Name == "settle"); !zero && !(value > 0) || math.IsInf(value, 0) {
			err = errors.Join(err, fmt.Errorf("-%s %v: it must be more than 0", f.Name, f.Value))
		}
	})
	return err
}

var verbs = []verb{
	{"peers", "all peers side by side; writes docs/benchmarks.md and its plots", peersVerb},
	{"growth", "roomgate with more members, connections and rooms, and joins; writes them too", growthVerb},
	{"giant", "quiet rooms beside one of 15,000 members; writes it too", giantVerb},
	{"slow", "readers beside clients that never read; writes it too", slowVerb},
	{"lanes", "both ends of the rule for who runs a lane; writes it too", lanesVerb},
	{"fanout", "the CPU of a delivery beside the floor, in a minute", fanoutVerb},
	{"idle", "memory and CPU of connections that get no message", idleVerb},
	{"connect", "CPU of connecting, token verified and room subscribed", connectVerb},
	{"render", "docs/benchmarks.md and its plots again, from the results that are there", renderVerb},
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once, whatever it waits for
	if err := run(ctx, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string, args []string) error {
	flags := flag.NewFlagSet(name, flag.ExitOnError)
	if name == floorVerb {
		addr, redis := flags.String("addr", "", "where to listen"), flags.String("redis", "", "where Redis is")
		beat := flags.Duration("heartbeat", heartbeat, "between two pings to a client")
		if err := parse(flags, args); err != nil {
			return err
		}
		return floor.Run(*addr, *redis, *beat)
	}
	for _, v := range verbs {
		if v.name == name {
			return v.run(ctx, flags, args)
		}
	}
	usage()
	return nil
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go run . <what> [flags]; -h after the word lists the flags")
	for _, v := range verbs {
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", v.name, v.about)
	}
	os.Exit(2)
}

// rigged calls do with a rig, and with the peers that list names prepared.
func rigged(ctx context.Context, list string, do func(*rig, []peer) error) error {
	r, err := newRig(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	chosen, err := choose(ctx, r, list)
	if err != nil {
		return err
	}
	return do(r, chosen)
}
