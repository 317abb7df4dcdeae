package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/pubsub"
)

func (p *program) publishCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "publish ROOM [PAYLOAD|-]",
		Short: "Publish a message to a room, through Redis",
		Long: `Publishes one message to a room, as any backend does with PUBLISH. The payload is sent as it is.
Without one, or with -, it is what stdin holds, to the last byte.`,
		Example: `  roomgate publish 42 '{"text":"hi"}'
  date | roomgate publish 42 -
  roomgate publish --redis.url redis://127.0.0.1:6379 42 '{"text":"hi"}'`,
		Args:        cobra.RangeArgs(1, 2),
		Annotations: uses("redis"),
		RunE:        p.publish,
	}
}

func (p *program) publish(cmd *cobra.Command, args []string) error {
	room := args[0]
	if !auth.ValidRoom(room) {
		return fmt.Errorf("%q is not a room's name: 1 to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / -", room)
	}
	c, err := p.load(cmd)
	if err != nil {
		return err
	}
	message, err := payload(cmd.InOrStdin(), args[1:])
	if err != nil {
		return err
	}
	o := pubsubOptions(c)
	ctx, cancel := context.WithTimeout(cmd.Context(), o.Timeout)
	defer cancel()
	receivers, err := pubsub.Publish(ctx, o, room, message)
	if err == nil && receivers == 0 {
		cmd.PrintErrln("Redis took it, but no gateway is subscribed: nobody is in room " + room)
	}
	return err
}

// payload returns the argument, or what stdin holds if there is none or it is -.
func payload(stdin io.Reader, args []string) ([]byte, error) {
	if len(args) > 0 && args[0] != "-" {
		return []byte(args[0]), nil
	}
	if len(args) == 0 && isTerminal(stdin) {
		return nil, errors.New("no payload: give it as an argument, or through stdin")
	}
	return io.ReadAll(stdin)
}

// isTerminal reports whether somebody would have to type into a reader, or watches a writer.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
