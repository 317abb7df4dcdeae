package gateway

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

// allocated is the least that one call of f allocates, of several: what is pooled is made anew now and then.
func allocated(f func()) (count, bytes uint64) {
	var before, after runtime.MemStats
	for i := range 20 {
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		c, b := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
		if i == 0 {
			count, bytes = c, b
		}
		count, bytes = min(count, c), min(bytes, b)
	}
	return count, bytes
}

// asks returns a function that sends one message and reads its answer, into memory that is there.
func asks(t *testing.T, c *wstest.Client, op byte, message, answer string) func() {
	t.Helper()
	frame := wstest.AppendFrame(nil, 0x80|op, []byte(message))
	got := make([]byte, 2+len(answer))
	return func() {
		if _, err := c.Conn().Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.Conn(), got); err != nil || string(got[2:]) != answer {
			t.Fatalf("got %q, %v, want %q", got[2:], err, answer)
		}
	}
}

// What a client sends is read into a buffer that all share. To parse it as JSON copies its parts, once.
func TestInboundMessageAllocatesItsPartsOnce(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute = 0 })
	c := w.dialV1(w.tokenWith(map[string]any{"rooms": "42", "publish": "away"}))
	const size = 64 << 10
	for _, m := range []struct {
		name, message, answer string
		most                  uint64 // allocations
		bytes                 uint64
	}{
		{"ping", `{"type":"ping","ref":1}`, `{"type":"pong","ref":1}`, 25, 2 << 10},
		{"subscribe", `{"type":"subscribe","room":"42","ref":1}`, `{"type":"subscribed","room":"42","ref":1}`, 35, 3 << 10},
		{"publish", `{"type":"publish","room":"away","data":7,"ref":1}`, `{"type":"published","ref":1}`, 35, 3 << 10},
		{"large publish", `{"type":"publish","room":"away","data":"` + strings.Repeat("x", size) + `","ref":1}`, `{"type":"published","ref":1}`, 35, size * 5 / 4},
	} {
		count, bytes := allocated(asks(t, c, wstest.Text, m.message, m.answer))
		t.Logf("%s: %d allocations, %d B", m.name, count, bytes)
		if count > m.most || bytes > m.bytes {
			t.Errorf("%s of %d B: %d allocations of %d B, want at most %d of %d B", m.name, len(m.message), count, bytes, m.most, m.bytes)
		}
	}
}

// A sink counts what is published, and does no more with it.
type sink struct {
	Rooms
	bytes *atomic.Int64
}

func (s sink) Publish(_ context.Context, _ string, payload []byte) error {
	s.bytes.Add(int64(len(payload)))
	return nil
}

// A message in the raw format is published as it was read.
func TestInboundRawMessageAllocatesNoCopy(t *testing.T) {
	var published atomic.Int64 // bytes
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute, o.Rooms = 0, sink{o.Rooms, &published} })
	c := w.dialRaw(w.tokenWith(map[string]any{"rooms": "42", "publish": "42"}), "42")
	const size = 64 << 10
	frame := wstest.AppendFrame(nil, 0x80|wstest.Binary, make([]byte, size))
	count, bytes := allocated(func() {
		want := published.Load() + size
		c.Raw(frame)
		for published.Load() < want {
			runtime.Gosched()
		}
	})
	t.Logf("%d allocations, %d B", count, bytes)
	if bytes > 2<<10 {
		t.Errorf("%d allocations of %d B for a message of %d B, want less than 2 KiB", count, bytes, size)
	}
}

// A message is compressed once for all that agreed to it, so that what it allocates does not grow with them.
func TestCompressedFanOutAllocatesNothingForAReceiver(t *testing.T) {
	w := newWorld(t, compressing)
	payload := apiMessage(4 << 10)
	fill := func(room string, n int) {
		token := w.token(room)
		for range n {
			c := wstest.Dial(t, w.url, "Authorization: Bearer "+token, offerDeflate)
			go func() { _, _ = io.Copy(io.Discard, c.Conn()) }() // ends with the connection, at the test's end
		}
		w.await(fmt.Sprint(n, " members"), func() bool { return w.members(room) == n })
	}
	fill("few", 10)
	fill("many", 300)
	count := func(room string) (count, bytes uint64) {
		return allocated(func() {
			w.Deliver(room, payload)
			w.settle(room)
		})
	}
	few, fewBytes := count("few")
	many, manyBytes := count("many")
	t.Logf("a message of %d B: %d allocations of %d B for 10 members, %d of %d B for 300", len(payload), few, fewBytes, many, manyBytes)
	if many > few+1 || manyBytes > fewBytes+1<<10 { // one for what else runs in the process
		t.Errorf("%d allocations of %d B for 300 members, %d of %d B for 10: want the same", many, manyBytes, few, fewBytes)
	}
}
