package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/load"
	"github.com/roomgate/roomgate/pubsub"
)

// A bench is one load on a deployment.
type bench struct {
	url        string
	format     string // v1 or raw
	connects   load.Options
	traffic    load.Traffic
	roomPrefix string
	headers    []string
	noPublish  bool
	asJSON     bool

	out      io.Writer
	progress *benchProgress
}

func (p *program) benchCommand() *cobra.Command {
	b := &bench{}
	var given string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Load a deployment with many clients, and count what arrives",
		Long: `Connects many clients to a gateway, publishes to their rooms through Redis, and counts for each client what
arrives: each message once and in order, or else lost, duplicated or out of order. The exit code is 1 if
there was any of these, if a connection ended, or if less than 98 % of the messages could be published.

Without --url it connects to http.addr and http.path. Without a token, it makes one for each client with
auth.secret, for its room. It publishes to redis.url, which must be the gateway's, with the same
redis.channel_prefix. Rooms are bench-0, bench-1 and so on: choose --room-prefix so that they are nobody's.

On Linux, over ws://, the clients are bare sockets at which one goroutine looks every 5 ms: it does not wake
for each message, so that a gateway on the same machine is not charged for waking its clients. A latency is
that from before PUBLISH to the look which found the message, and so some 2.5 ms more than what a client
sees. Over wss://, and on other systems, each client waits for itself. From another machine the figures
are closer to life: run it where clients would be. wss:// needs a certificate that this system trusts.

From one public address a gateway lets in 600 connection attempts a minute and 1000 connections:
see limits.handshakes_per_address and limits.connections_per_address, and --connect-rate.
Ctrl-C ends it early and reports what was counted.`,
		Example: `  roomgate bench                                                 1,000 clients in one room
  roomgate bench --connections 10000 --rooms 1000 --rate 2000 --size 512 --duration 30s
  ROOMGATE_TOKEN=$(roomgate token --sub bench --room 'bench-*') roomgate bench --url wss://gate.example.com/ws --redis.url redis://redis:6379
  roomgate bench --connections 20000 --no-publish --duration 10m    only hold connections, and count what comes`,
		Args:        benchArgs,
		Annotations: uses("http auth redis"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.bench(cmd, b, cmp.Or(given, p.variable(tokenVariable)))
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&b.url, "url", "", "where to connect, such as wss://gate.example.com/ws")
	flags.StringVar(&given, "token", "", "the token of all clients; better in "+tokenVariable+", which other users of the machine cannot see")
	flags.IntVar(&b.connects.Connections, "connections", 1000, "how many clients")
	flags.IntVar(&b.connects.Rooms, "rooms", 1, "in how many rooms, evenly")
	flags.StringVar(&b.roomPrefix, "room-prefix", "bench-", "what a room's name begins with; a number follows")
	flags.StringVar(&b.format, "format", "v1", "v1: frames of the protocol, raw: payloads alone")
	flags.Float64Var(&b.traffic.Rate, "rate", 50, "messages a second, over all rooms in turn")
	flags.IntVar(&b.traffic.Size, "size", 128, "bytes of a message, at least "+strconv.Itoa(load.MinSize))
	flags.DurationVar(&b.traffic.Duration, "duration", 10*time.Second, "how long messages are counted")
	flags.DurationVar(&b.traffic.Warm, "warm", time.Second, "how long messages are published before that")
	flags.BoolVar(&b.noPublish, "no-publish", false, "publish nothing: hold the connections for --duration, and count messages that come")
	flags.IntVar(&b.connects.ConnectRate, "connect-rate", 0, "new connections a second; 0: as fast as they come, 64 at a time")
	flags.IntVar(&b.connects.Sources, "sources", 0,
		"addresses, 127.0.1.1 and on, to connect to a gateway on loopback from (Linux); 0: one for each 10,000 clients")
	flags.StringArrayVar(&b.headers, "header", nil, "a line of the handshake, such as 'Origin: https://app.example.com'; may be repeated")
	flags.BoolVar(&b.asJSON, "json", false, "print the report as one JSON object")
	return cmd
}

// benchArgs is for a URL that was written as it is for tail.
func benchArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q: bench takes no arguments; a URL goes behind --url", args[0])
	}
	return nil
}

func (p *program) bench(cmd *cobra.Command, b *bench, token string) error {
	c, err := p.loadOnly(cmd, "http")
	if err != nil {
		return err
	}
	var args []string
	if b.url != "" {
		args = []string{b.url}
	}
	if b.url, err = tailURL(c, args, nil); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	if err := p.benchHeaders(cmd, b, token); err != nil {
		return err
	}
	if !b.noPublish {
		c, err := p.loadOnly(cmd, "redis")
		if err != nil {
			return err
		}
		batch, err := pubsub.NewBatch(cmd.Context(), pubsubOptions(c))
		if err != nil {
			return fmt.Errorf("to publish to redis.url: %w", err)
		}
		defer batch.Close()
		b.traffic.Publish, b.traffic.Flush = batch.Publish, batch.Flush
	}
	b.out, b.progress = cmd.OutOrStdout(), newBenchProgress(cmd.ErrOrStderr())

	ctx, cancel := context.WithCancel(cmd.Context())
	signals, stop := p.notify()
	defer stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { // ends with ctx
		select {
		case <-signals:
			stop() // a second one ends it at once
			cancel()
		case <-ctx.Done():
		}
	})
	return b.run(ctx)
}

// check refuses what load would refuse later, or for a reason that names no flag.
func (b *bench) check() error {
	b.connects.URL = b.url
	b.connects.RoomName = func(i int) string { return b.roomPrefix + strconv.Itoa(i) }
	b.connects.Query = func(_ int, room string) string { return "room=" + url.QueryEscape(room) }
	switch b.format {
	case "v1":
		b.connects.Ready = func(frame []byte) bool { return bytes.HasPrefix(frame, []byte(`{"type":"hello"`)) }
		b.connects.Message = func(frame []byte) bool { return bytes.HasPrefix(frame, []byte(`{"type":"message"`)) }
	case "raw":
	default:
		return fmt.Errorf("--format %s: it is v1 or raw", b.format)
	}
	switch {
	case b.connects.Connections < 1 || b.connects.Connections > math.MaxInt32:
		return fmt.Errorf("--connections %d: it is from 1 to %d", b.connects.Connections, math.MaxInt32)
	case b.connects.Rooms < 1 || b.connects.Rooms > b.connects.Connections:
		return fmt.Errorf("--rooms %d: it is from 1 to --connections, so that nobody's room is empty", b.connects.Rooms)
	case !auth.ValidRoom(b.connects.RoomName(b.connects.Rooms)):
		return fmt.Errorf("--room-prefix %q: with a number it must be 1 to 128 of A-Z a-z 0-9 _ . : @ = + , ~ / -", b.roomPrefix)
	case b.traffic.Size < load.MinSize || b.traffic.Size > benchSizeMost:
		return fmt.Errorf("--size %d: it is from %d, for the number and time of each message, to %d", b.traffic.Size, load.MinSize, benchSizeMost)
	case b.traffic.Duration <= 0 || b.traffic.Warm < 0 || max(b.traffic.Duration, b.traffic.Warm) > benchTimeMost:
		return fmt.Errorf("--duration must be more than 0, --warm not less, and neither more than %v", benchTimeMost)
	case b.connects.ConnectRate < 0 || b.connects.ConnectRate > math.MaxInt32 || b.connects.Sources < 0:
		return fmt.Errorf("--connect-rate and --sources cannot be less than 0, nor --connect-rate more than %d", math.MaxInt32)
	}
	if err := b.checkRate(); err != nil {
		return err
	}
	for _, line := range b.headers {
		if name, _, ok := strings.Cut(line, ":"); !ok || name == "" || strings.ContainsAny(line, "\r\n") {
			return errors.New("--header: write it as 'Name: value'") // not shown: it may be a secret
		}
	}
	files, err := openFileLimit()
	if err != nil {
		return err
	}
	if need := int64(b.connects.Connections) + benchFiles + int64(b.connects.ConnectRate); int64(files) < need {
		return fmt.Errorf("--connections %d: the limit of open files is %d, and %d are needed: raise it (ulimit -n %d)",
			b.connects.Connections, files, need, need)
	}
	return nil
}

// checkRate refuses rates of which there is no message, or more than can be numbered.
func (b *bench) checkRate() error {
	if b.noPublish {
		return nil
	}
	longest := max(b.traffic.Duration, b.traffic.Warm).Seconds()
	switch rate := b.traffic.Rate; {
	case math.IsNaN(rate) || rate <= 0:
		return errors.New("--rate: it must be more than 0; --no-publish publishes nothing")
	case rate*longest > benchMessagesMost:
		return fmt.Errorf("--rate %v: that are more than %d messages, which is the most in --duration, and in --warm", rate, benchMessagesMost)
	case rate*b.traffic.Duration.Seconds() < 1:
		return fmt.Errorf("--rate %v: that is less than one message in --duration %v", rate, b.traffic.Duration)
	}
	return nil
}

const (
	benchTimeMost     = 365 * 24 * time.Hour
	benchMessagesMost = math.MaxUint32 // a message's number has 32 bits

	benchSizeMost = 15 << 20 // a frame has up to 16 MiB, envelope included
	benchFiles    = 192      // descriptors besides the clients': two for each that is being dialled, and our own
)

// benchHeaders sets what clients send beside their room: format, token, and what was asked for.
func (p *program) benchHeaders(cmd *cobra.Command, b *bench, given string) error {
	c, err := p.loadOnly(cmd, "http")
	if err != nil {
		return err
	}
	token := func(int, string) (string, error) { return given, nil }
	if given == "" {
		c, err := p.loadOnly(cmd, "auth")
		if err != nil {
			return errors.Join(errors.New("no token: give it as "+tokenVariable+", or the secret to make them (auth.secret)"), err)
		}
		ttl := b.traffic.Warm + b.traffic.Duration + time.Hour
		token = func(i int, room string) (string, error) {
			return mint(c, ticket{sub: "bench-" + strconv.Itoa(i), rooms: []string{room}, ttl: ttl})
		}
	}
	if _, err := token(0, b.roomPrefix); err != nil {
		return err
	}
	protocol := map[string]string{"v1": "roomgate.v1", "raw": "roomgate.raw.v1"}[b.format]
	bySubprotocol := onlyBySubprotocol(c)
	b.connects.Header = func(client int, room string) []string {
		token, _ := token(client, room) // the first has shown that it can be made
		if bySubprotocol {
			return append([]string{"Sec-WebSocket-Protocol: " + protocol + ", bearer." + token}, b.headers...)
		}
		return append([]string{"Sec-WebSocket-Protocol: " + protocol, "Authorization: Bearer " + token}, b.headers...)
	}
	return nil
}
