package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/config"
)

// tailTTL is the life of a token that tail makes, a new one for each connection.
const tailTTL = time.Hour

func (p *program) tailCommand() *cobra.Command {
	var (
		t     tail
		given string
		own   = ticket{ttl: tailTTL}
	)
	cmd := &cobra.Command{
		Use:   "tail [URL]",
		Short: "Connect as a client does, and print what comes",
		Long: `Connects as a client does and prints each frame, one a line. All else is told on stderr. It reconnects
as a client should: never after a close code 40xx (then the exit code is 1), with backoff after 41xx
and when there is no connection, and soon after 42xx.

Without a URL it connects to http.addr and http.path. Without a token, it makes one with auth.secret,
for whom --sub says and the rooms that --room says: at least one of the two is needed.`,
		Example: `  roomgate tail --room 42
  ROOMGATE_TOKEN=eyJ… roomgate tail wss://gate.example.com/ws
  roomgate tail --sub u1 --room 42 --format raw --count 1`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: uses("http auth"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.loadOnly(cmd, "http")
			if err != nil {
				return err
			}
			if t.url, err = tailURL(c, args, own.rooms); err != nil {
				return err
			}
			if t.token, err = p.tailToken(cmd, cmp.Or(given, p.variable(tokenVariable)), own); err != nil {
				return err
			}
			t.bySubprotocol = onlyBySubprotocol(c)
			if t.protocol = map[string]string{"v1": "roomgate.v1", "raw": "roomgate.raw.v1"}[t.format]; t.protocol == "" {
				return fmt.Errorf("--format %s: it is v1 or raw", t.format)
			}
			t.out, t.tell = cmd.OutOrStdout(), cmd.PrintErrf
			return t.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&given, "token", "", "the token; better in "+tokenVariable+", which other users of the machine cannot see")
	flags.StringVar(&own.sub, "sub", "", "who a token that tail makes is for")
	flags.StringArrayVar(&own.rooms, "room", nil, "a room to join; none: those that the token names; may be repeated")
	flags.StringVar(&t.format, "format", "v1", "v1: frames of the protocol, raw: payloads alone")
	flags.IntVar(&t.count, "count", 0, "end after so many messages, with exit code 0; 0: never")
	return cmd
}

// tailURL returns the URL to connect to, with the rooms that are asked for.
func tailURL(c *config.Config, args, rooms []string) (string, error) {
	if len(args) == 0 {
		host, port, err := net.SplitHostPort(c.HTTP.Addr)
		if err != nil {
			return "", err
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		scheme := "ws"
		if c.HTTP.TLSCertFile != "" {
			scheme = "wss"
		}
		args = []string{scheme + "://" + net.JoinHostPort(host, port) + c.HTTP.Path}
	}
	u, err := url.Parse(args[0])
	if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return "", errors.New("the URL is not such as ws://127.0.0.1:8080/ws or wss://gate.example.com/ws")
	}
	query := u.Query()
	if query.Has("token") {
		return "", errors.New("the URL holds a token, which every proxy on the way would log: give it as " + tokenVariable)
	}
	for _, room := range rooms {
		query.Add("room", room)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// tailToken returns what gives the token of each connection: the one that was given, or new ones.
func (p *program) tailToken(cmd *cobra.Command, given string, own ticket) (func() (string, error), error) {
	if given != "" {
		return func() (string, error) { return given, nil }, nil
	}
	c, err := p.loadOnly(cmd, "auth")
	if err != nil || own.sub == "" && len(own.rooms) == 0 {
		return nil, errors.Join(errors.New("no token: give it as "+tokenVariable+
			", or the secret to make one (auth.secret) and --sub or --room"), err)
	}
	own.sub = cmp.Or(own.sub, "tail")
	return func() (string, error) { return mint(c, own) }, nil
}

// onlyBySubprotocol reports whether a token is taken there, but not from a header.
func onlyBySubprotocol(c *config.Config) bool {
	return !slices.Contains(c.Auth.TokenFrom, "header") && slices.Contains(c.Auth.TokenFrom, "subprotocol")
}
