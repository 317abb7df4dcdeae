package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// 2,000 connections are drained over 5 s while messages go on: all end with 4201, none before its
// turn, and each has had everything up to its end, even if it was late in reading. That none is late is
// for TestDrainSpreadsByesEvenlyAndTellsWhenToReconnect, by a clock that no busy machine holds up.
func TestDrainIsEvenAndLosesNothingQueued(t *testing.T) {
	const clients, late, period = 2000, 10, 5
	redis := redistest.Start(t)
	n := startNode(t, redis.URL(), "ROOMGATE_DRAIN_DELAY=0s", fmt.Sprintf("ROOMGATE_DRAIN_PERIOD=%ds", period), "ROOMGATE_LIMITS_OUTBOX_BYTES=8MiB")
	all := make([]*wstest.Client, clients)
	each(clients, func(i int) {
		if i < late {
			all[i] = n.dialNarrow("big")
		} else {
			all[i] = n.dial(v1, "small")
		}
	})
	const bigs = 160
	for i := range bigs { // 5 MiB: more than the kernel takes for a client that does not read, less than is slow
		redis.Client().Publish(t.Context(), "room:big", fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", 32<<10)))
	}
	await(t, "all of it with each late client's connection", func() bool { return n.metric("roomgate_deliveries_total") == bigs*late })
	queued := n.metric("roomgate_outbox_bytes")
	if queued < late*256<<10 {
		t.Fatalf("%d bytes are queued: too few to show anything", queued)
	}

	ctx, stop := context.WithCancel(t.Context())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			redis.Client().Publish(ctx, "room:small", fmt.Sprintf(`{"n":%d}`, i))
			time.Sleep(100 * time.Millisecond) // of the load, not of a condition
		}
	})
	var (
		reading sync.WaitGroup
		mu      sync.Mutex
		ends    [period + 2]int
		began   = time.Now()
	)
	n.terminate()
	for i, c := range all {
		reading.Go(func() {
			at, err := readToBye(c, began, i < late, bigs)
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ends[min(int(at/time.Second), len(ends)-1)]++
		})
	}
	reading.Wait()
	stop()
	publishing.Wait()
	if err := <-n.done; err != nil {
		t.Errorf("serve ended with %v, want nil", err)
	}
	n.done <- nil // for the cleanup
	t.Logf("2000 connections, %d of them late with %d KiB queued; ended in each second: %v", late, queued>>10, ends)
	ended := 0
	for s := range period {
		ended += ends[s]
		if most := (s + 1) * clients / period; ended > most+clients/100 {
			t.Errorf("%d ended within %d s, want %d at most", ended, s+1, most)
		}
	}
}

// metric is the value of a gauge or counter without labels.
func (n *node) metric(name string) int {
	families, err := n.metrics.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return int(m.GetGauge().GetValue() + m.GetCounter().GetValue())
		}
	}
	n.t.Fatal("no metric " + name)
	return 0
}

// dialNarrow is dial of a v1 client whose socket takes little that is not read.
func (n *node) dialNarrow(room string) *wstest.Client {
	n.t.Helper()
	d := net.Dialer{Control: narrow}
	nc, err := d.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(n.url, "ws://"), "/ws"))
	if err != nil {
		n.t.Fatal(err)
	}
	c, err := wstest.Over(n.t, nc, n.url, "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer "+relayToken(n.t, room))
	if err != nil {
		n.t.Fatal(err)
	}
	c.WantType("hello")
	return c
}

// readToBye reads until the end: numbered messages without a hole, bye, close 4201. It returns
// when the bye came. A late client begins after a second.
func readToBye(c *wstest.Client, began time.Time, late bool, bigs int) (at time.Duration, err error) {
	if late {
		time.Sleep(time.Second) // it is busy with something else
	}
	next := -1 // the first number may be any
	for {
		f, err := c.NextErr()
		if err != nil {
			return 0, err
		}
		if bytes.HasPrefix(f.Payload, []byte(`{"type":"bye","code":4201,"after":`)) {
			break
		}
		var m struct{ Data struct{ N int } }
		if err := json.Unmarshal(f.Payload, &m); err != nil || next >= 0 && m.Data.N != next {
			return 0, fmt.Errorf("got %.60v, want message %d or bye", f, next)
		}
		next = m.Data.N + 1
	}
	at = time.Since(began)
	if late && next != bigs {
		return at, fmt.Errorf("%d messages before bye, want %d", next, bigs)
	}
	f, err := c.NextErr()
	if err != nil {
		return at, err
	}
	if f.CloseCode() != 4201 {
		return at, fmt.Errorf("got %v, want close 4201", f)
	}
	return at, c.SendErr(wstest.Close, f.Payload[:2])
}
