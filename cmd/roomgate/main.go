// Command roomgate is a WebSocket gateway: what any backend publishes to Redis reaches the
// clients whose token lets them into the room. It wires the packages together and holds
// nothing of what they do.
package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	p := &program{environ: os.Environ(), path: os.Args[0]}
	return p.execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// A program is what the commands share of the process, so that a test can put something else
// in its place.
type program struct {
	environ []string
	path    string         // as it was called; empty: roomgate
	signals chan os.Signal // what asks a server to end; nil: the process's own signals
	reloads chan os.Signal // what asks it to read its settings anew; nil: SIGHUP
}

// execute runs one command line and returns the exit code: 0, or 1 after an error, of which
// each line was written to stderr.
func (p *program) execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	for line := range strings.Lines(err.Error()) {
		root.PrintErrf("roomgate: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return 1
}

// notify returns the signals that ask a server to end, and what to call when it has ended.
func (p *program) notify() (signals <-chan os.Signal, stop func()) {
	if p.signals != nil {
		return p.signals, func() {}
	}
	const both = 2 // the one that begins the drain and the one that cuts it short
	c := make(chan os.Signal, both)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	return c, func() { signal.Stop(c) }
}

// name is how to call this program again.
func (p *program) name() string {
	if strings.Contains(p.path, "go-build") { // what `go run` made is gone when it ends
		return "go run ./cmd/roomgate"
	}
	return cmp.Or(p.path, "roomgate")
}
