package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

const relaySecret = "a secret of the relay tests, of forty-eight bytes or more"

// A node is a whole roomgate in this process, as serve runs it.
type node struct {
	*server
	t       testing.TB
	url     string // ws://…/ws
	signals chan os.Signal
	done    chan error // what run returned
}

// startNode starts a node with settings given as environment variables, and waits until it is ready.
func startNode(t testing.TB, redisURL string, environ ...string) *node {
	t.Helper()
	c, err := config.Load(config.Source{Environ: append([]string{
		"ROOMGATE_HTTP_ADDR=127.0.0.1:0", "ROOMGATE_ADMIN_ADDR=off", "ROOMGATE_AUTH_SECRET=" + relaySecret,
		"ROOMGATE_REDIS_URL=" + redisURL,
	}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(c, secrecy.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	l, err := listen(c)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{server: s, t: t, url: "ws://" + l.front.Addr().String() + "/ws",
		signals: make(chan os.Signal, 2), done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { n.done <- s.run(ctx, l, n.signals) }()
	t.Cleanup(func() {
		n.check()
		secrecy.Metrics(t, n.metrics)
		cancel()
		if err := <-n.done; err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("the node ended with: %v", err)
		}
	})
	await(t, "ready", func() bool { return s.ready(t.Context()) == nil })
	return n
}

// check checks the invariants.
func (n *node) check() {
	ctx, cancel := context.WithTimeout(context.Background(), wstest.Patience)
	defer cancel()
	if err := n.gateway.Check(ctx); err != nil {
		n.t.Errorf("gateway invariants: %v", err)
	}
	if err := n.broker.Check(); err != nil {
		n.t.Errorf("pubsub invariants: %v", err)
	}
}

// terminate sends SIGTERM, and leaves n.done for the test to read.
func (n *node) terminate() { n.signals <- syscall.SIGTERM }

// dial connects a client in a room: v1, which reads hello, or raw.
func (n *node) dial(format string, room string) *wstest.Client {
	n.t.Helper()
	c := wstest.Dial(n.t, n.url, "Sec-WebSocket-Protocol: "+format, "Authorization: Bearer "+relayToken(n.t, room))
	if format == v1 {
		c.WantType("hello")
		return c
	}
	// Raw has no hello. But nothing is read from a client before its rooms are joined, so a pong says it.
	c.Send(wstest.Ping, nil)
	if f, err := c.Read(); err != nil || f.Op != wstest.Pong {
		n.t.Fatalf("got %v %v, want a pong", f, err)
	}
	return c
}

const (
	v1  = "roomgate.v1"
	raw = "roomgate.raw.v1"
)

func relayToken(t testing.TB, room string) string {
	t.Helper()
	token, err := auth.Sign([]byte(relaySecret), map[string]any{"sub": "u", "rooms": room, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// each runs f for 0 … n-1, a few at a time.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// await waits for a condition.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(wstest.Patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// numbered is the nth message of a room.
func numbered(room, n int) string { return fmt.Sprintf(`{"room":%d,"n":%d}`, room, n) }
