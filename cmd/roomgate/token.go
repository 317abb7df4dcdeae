package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
)

func (p *program) tokenCommand() *cobra.Command {
	var t ticket
	var claims []string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token, signed with the secret that serve verifies with",
		Long: `Makes a token and prints it, alone, on stdout. It is signed (HS256) with the first secret of
auth.secret, and has the issuer and audience that the settings ask for. What the token does not
grant, as a server with these settings sees it, is told on stderr.`,
		Example: `  roomgate token --sub u1 --room 42
  roomgate token --sub u1 --room 'org:7:*' --publish org:7:chat --ttl 15m
  roomgate token --sub u1 --claim phoneNumberId=123 --claim 'org={"id":7}'`,
		Args:        cobra.NoArgs,
		Annotations: uses("auth rooms"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := p.load(cmd)
			if err != nil {
				return err
			}
			if t.claims, err = parseClaims(claims); err != nil {
				return err
			}
			token, err := mint(c, t)
			if err != nil {
				return err
			}
			warnings, err := missing(cmd.Context(), c, t, token)
			if err != nil {
				return err
			}
			for _, warning := range warnings {
				cmd.PrintErrln("warning:", warning)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&t.sub, "sub", "", "who the token is for")
	flags.StringArrayVar(&t.rooms, "room", nil, "a room to join, or a pattern of rooms that may be joined; may be repeated")
	flags.StringArrayVar(&t.publish, "publish", nil, "a room, or a pattern, that may be published to; may be repeated")
	flags.DurationVar(&t.ttl, "ttl", time.Hour, "how long the token is good for")
	flags.StringArrayVar(&claims, "claim", nil, "another claim, name=value, the value as JSON or else a string; may be repeated")
	return cmd
}

// parseClaims reads name=value, each value as JSON if it is that, and else as a string.
func parseClaims(given []string) (map[string]any, error) {
	claims := make(map[string]any, len(given))
	for _, claim := range given {
		name, text, ok := strings.Cut(claim, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--claim %s: write it as name=value", claim)
		}
		if json.Valid([]byte(text)) {
			claims[name] = json.RawMessage(text) // as it is: a number may have more digits than a float64
		} else {
			claims[name] = text
		}
	}
	return claims, nil
}

// missing says what the token does not grant although t asks for it.
func missing(ctx context.Context, c *config.Config, t ticket, token string) (warnings []string, err error) {
	verifier, err := auth.New(authOptions(c))
	if err != nil {
		return nil, err
	}
	grant, err := verifier.Verify(ctx, token)
	if err != nil {
		return []string{"a server with these settings refuses this token: " + err.Error()}, nil
	}
	const grantsNothing = " grants nothing: it is neither a room's name nor a pattern, or --claim has replaced it"
	for _, room := range t.rooms {
		if !grant.MayJoin(sample(room)) {
			warnings = append(warnings, "--room "+room+grantsNothing)
		}
	}
	for _, room := range t.publish {
		if !grant.MayPublish(sample(room)) {
			warnings = append(warnings, "--publish "+room+grantsNothing)
		}
	}
	if len(grant.Auto())+len(grant.Named()) == 0 {
		warnings = append(warnings, "this token joins no room at connect: name some with --room, or ask for them with ?room=")
	}
	return warnings, nil
}

// sample is a room that fits a pattern; a name is its own.
func sample(pattern string) string { return strings.ReplaceAll(pattern, "*", "x") }
