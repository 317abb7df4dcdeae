//go:build linux

// Command bench measures what roomgate costs beside the floor: a loop of raw, non-blocking
// sends of one prebuilt frame, without token, room, queue or Redis. It runs both in turn, as
// processes of their own, under the same load, and prints medians and their ratio. Only such
// ratios mean something on another machine.
//
//	go run . fanout   # CPU per delivery: 1 room, 1,000 members, 128 B, 60 messages/s
//	go run . idle     # memory per idle connection with a room, from 0 to 10,000
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	l := load{}
	flags.IntVar(&l.members, "members", 1000, "connections in the room")
	flags.IntVar(&l.size, "size", 128, "bytes of a message")
	flags.IntVar(&l.rate, "rate", 60, "messages a second")
	flags.DurationVar(&l.duration, "duration", 8*time.Second, "of one measurement")
	rounds := flags.Int("rounds", 5, "measurements of each, in turn")
	connections := flags.Int("connections", 10000, "idle connections")
	_ = flags.Parse(os.Args[2:]) // ExitOnError

	var err error
	switch os.Args[1] {
	case "fanout":
		err = fanout(l, *rounds)
	case "idle":
		err = idle(*connections)
	case "floor": // the child process that fanout starts
		err = floor(l)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go run . fanout|idle [flags]; -h after the word lists the flags")
	os.Exit(2)
}
