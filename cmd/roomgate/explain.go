package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/pubsub"
)

func (p *program) explainCommand() *cobra.Command {
	var token, room string
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Explain what a token grants, or why it is refused",
		Long: `Verifies a token as serve would, and says what came of each check: the issuer, the key, the
signature, the times, and which claim or setting allows the room, or what would. It prints neither
the token nor a secret. The exit code is 1 if the token, or the room, is refused.

The token comes from --token, from ` + tokenVariable + `, or from stdin with --token -. A flag can be seen
by whoever may list processes.`,
		Example: `  roomgate token --sub u1 --room 42 | roomgate explain --token - --room 42
  ` + tokenVariable + `=… roomgate explain --room org:7:chat`,
		Args:        cobra.NoArgs,
		Annotations: uses("auth rooms redis"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if token == "" {
				token = p.variable(tokenVariable)
			}
			if token == "-" {
				stdin, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 64<<10))
				if err != nil {
					return err
				}
				token = strings.TrimSpace(string(stdin))
			}
			if token == "" {
				return errors.New("no token: give it with --token, in " + tokenVariable + ", or through stdin with --token -")
			}
			if room != "" && !auth.ValidRoom(room) {
				return fmt.Errorf("%q is not a room's name: 1 to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / -", room)
			}
			return p.explain(cmd, token, room)
		},
	}
	cmd.Flags().StringVar(&token, "token", "", "the token; - reads it from stdin")
	cmd.Flags().StringVar(&room, "room", "", "a room to join")
	return cmd
}

func (p *program) explain(cmd *cobra.Command, token, room string) error {
	c, err := p.load(cmd)
	if err != nil {
		return err
	}
	verifier, stop, err := runVerifier(cmd.Context(), c)
	if err != nil {
		return err
	}
	defer stop()
	e := verifier.Explain(cmd.Context(), token, room)
	for _, step := range e.Steps {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-11s  %-10s  %s\n", step.Outcome, step.Name, step.Words); err != nil {
			return err
		}
	}
	if !e.Granted {
		return errors.New("refused")
	}
	return nil
}

// keysPatience is how long a command waits for public keys to be fetched.
const keysPatience = 15 * time.Second

// fetchesKeys reports whether an issuer's keys are fetched.
func fetchesKeys(c *config.Config) bool {
	for _, issuer := range c.Auth.Issuers {
		if len(issuer.Secrets) == 0 {
			return true
		}
	}
	return false
}

// runVerifier makes c's verifier, as serve has it, and waits until its keys are there, or for
// a while. stop ends it.
func runVerifier(ctx context.Context, c *config.Config) (v *auth.Verifier, stop func(), err error) {
	redis, err := pubsub.New(pubsubOptions(c))
	if err != nil {
		return nil, nil, err
	}
	if v, err = newVerifier(c, redis, nil, nil); err != nil {
		return nil, nil, err
	}
	stopKeys := runKeys(ctx, v)
	stop = func() {
		stopKeys()
		over, cancel := context.WithCancel(ctx)
		cancel()
		_ = redis.Run(over, nobody{}) // all that it does is to close the connections
	}
	awaitKeys(ctx, v)
	return v, stop, nil // what is missing shows in what it answers
}

// nobody receives nothing.
type nobody struct{}

func (nobody) Deliver(string, []byte) {}
func (nobody) Gap(string)             {}
func (nobody) Control([]byte)         {}
