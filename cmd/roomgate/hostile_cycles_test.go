//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// Connections come and go, each in another room, ended in each of the ways in
// which connections end. When all are gone, memory is what it was after a warm-up, within a
// tenth, and no goroutine is left. ROOMGATE_CYCLES says how many (make cycles: 100000).
func TestHostileCyclesLeaveNothingBehind(t *testing.T) {
	cycles := 10_000
	if s := os.Getenv("ROOMGATE_CYCLES"); s != "" {
		var err error
		if cycles, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	redis := redistest.Start(t)
	g := startGate(t, redis.URL(), "ROOMGATE_REDIS_LEAVE_DELAY=1s")
	c := &cycler{t: t, g: g}

	c.run(max(cycles/5, 10_000))
	start := g.settled(3*time.Second, func(footprint) bool { return false })
	began := time.Now()
	c.run(cycles)
	took := time.Since(began)
	within := func(f footprint) bool {
		return f.rss <= start.rss+start.rss/10 && f.heap <= start.heap+start.heap/10 && f.goroutines <= start.goroutines+1 // net/http's own
	}
	end := g.settled(30*time.Second, within)

	t.Logf("%d connections, %.0f a second; after warm-up: %v; at the end: %v (%+.1f %%)", cycles, float64(cycles)/took.Seconds(),
		start, end, 100*float64(end.rss-start.rss)/float64(start.rss))
	if !within(end) {
		t.Errorf("memory and goroutines are not back: %v, want about %v", end, start)
	}
	if _, stacks := get(t, g.admin+"/debug/pprof/goroutine?debug=1"); strings.Contains(stacks, "gateway.(*conn)") {
		t.Errorf("goroutines of connections are left:\n%s", stacks)
	}
	if n := g.metric("roomgate_redis_rooms", ""); n != 0 {
		t.Errorf("%d rooms are still subscribed to", n)
	}
	g.wantSound(testSecret)
}

// cycleUsers come again and again, so that what is remembered of clients that left, for a
// minute or two and of a bounded number, is filled in the warm-up.
const cycleUsers = 5000

// A cycler connects and disconnects.
type cycler struct {
	t    testing.TB
	g    *gate
	next atomic.Int64
}

// run does n cycles, several at a time, and waits until the gate has forgotten them.
func (c *cycler) run(n int) {
	c.t.Helper()
	left := atomic.Int64{}
	left.Store(int64(n))
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for left.Add(-1) >= 0 && !c.t.Failed() {
				if err := c.cycle(int(c.next.Add(1))); err != nil {
					c.t.Errorf("a cycle: %v", err)
				}
			}
		})
	}
	all.Wait()
	await(c.t, "nobody is connected and no room is held", func() bool {
		return c.g.metric("roomgate_connections", "") == 0 && c.g.metric("roomgate_redis_rooms", "") == 0
	})
}

// cycle is one connection: it joins a room, asks something, and ends in one of four ways.
func (c *cycler) cycle(i int) error {
	nc, err := dialLoopback(c.g.addr, 2, i%1000)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(wstest.Patience)) // if it fails, so will what follows
	room, br := fmt.Sprint("cycle:", i), bufio.NewReaderSize(nc, 512)
	_, err = io.WriteString(nc, handshake("Sec-WebSocket-Protocol: "+v1+", bearer."+newToken(c.t, fmt.Sprint("u", i%cycleUsers), room)))
	if err != nil {
		return err
	}
	answer, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(answer.Status)
	}
	f := &foe{Conn: nc, br: br, stop: func() bool { return true }}
	if i%8 == 0 { // while it is still joining
		return nil
	}
	if _, err := br.ReadByte(); err != nil { // the first byte of hello: it has joined
		return err
	}
	if err := br.UnreadByte(); err != nil {
		return err
	}
	ask := wstest.AppendFrame(nil, 0x80|wstest.Text, fmt.Appendf(nil, `{"type":"publish","room":"%s","data":%d}`, room, i))
	switch i % 4 {
	case 0: // a reset
		return nil
	case 1: // a close by the book
		_, err = nc.Write(wstest.AppendFrame(ask, 0x80|wstest.Close, []byte{0x03, 0xE8}))
		return wantOutcome(f, "close 1000", err)
	case 2: // the end of the stream within a frame
		_, err = nc.Write(append(ask, 0x81))
		return errors.Join(err, nc.(interface{ CloseWrite() error }).CloseWrite())
	default: // a violation
		_, err = nc.Write(append(ask, 0xC1, 0x80, 1, 2, 3, 4))
		return wantOutcome(f, "close 1002", err)
	}
}

func wantOutcome(f *foe, want string, err error) error {
	if err != nil {
		return err
	}
	if got := f.outcome(); got != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	return nil
}
