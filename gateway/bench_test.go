package gateway

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

// fill puts n members into room, which read and throw away.
func (w *world) fill(room string, n int) {
	w.t.Helper()
	token := w.token(room)
	before := w.members(room)
	for range n {
		c := wstest.Dial(w.t, w.url, "Authorization: Bearer "+token)
		go func() { _, _ = io.Copy(io.Discard, c.Conn()) }() // ends with the connection, at the test's end
	}
	w.await("members", func() bool { return w.members(room) == before+n })
}

// settle waits until the lane of room has worked off all that was posted.
func (w *world) settle(room string) { w.members(room) }

func TestFanOutAllocatesNothingForAReceiver(t *testing.T) {
	w := newWorld(t, nil)
	payload := []byte(strings.Repeat("x", 128))
	w.fill("few", 10)
	w.fill("many", 300)
	count := func(room string) float64 {
		return testing.AllocsPerRun(50, func() {
			w.Deliver(room, payload)
			w.settle(room)
		})
	}
	few, many := count("few"), count("many")
	t.Logf("allocations a message: %v for 10 members, %v for 300", few, many)
	if many > few+1 { // one for what else runs in the process
		t.Errorf("%v allocations for 300 members, %v for 10: want the same", many, few)
	}
}

func TestPongAllocatesNothing(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	pong := wstest.AppendFrame(nil, 0x8A, nil)
	conn := w.all()[0]
	n := testing.AllocsPerRun(100, func() {
		before := conn.lastLife.Load()
		_, _ = c.Conn().Write(pong) // if it fails, what follows does not end
		for conn.lastLife.Load() == before || !conn.parked.Load() {
			runtime.Gosched()
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for a pong that is all there is, want 0", n)
	}
}

// BenchmarkLane is one message to a room, from the mailbox to the last member's socket: by whoever
// posts, up to smallRoom members, and by the lane's goroutine beyond.
func BenchmarkLane(b *testing.B) {
	for _, members := range []int{1, smallRoom, smallRoom + 1, 10, 100, 1000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			w := newWorld(b, nil)
			w.fill("42", members)
			payload := []byte(strings.Repeat("x", 128))
			b.ReportAllocs()
			for b.Loop() {
				w.Deliver("42", payload)
				w.settle("42")
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/delivery")
		})
	}
}

// BenchmarkOutbox is one send to a client that reads, the same by net.Conn, and one to a client that never reads, while
// the kernel takes what it is sent.
func BenchmarkOutbox(b *testing.B) {
	frame := make([]byte, 130)
	b.Run("send", func(b *testing.B) {
		o, theirs := newOutbox(b, 1<<20)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		b.ReportAllocs()
		for b.Loop() {
			_ = o.send(frame)
		}
	})
	b.Run("unread", func(b *testing.B) {
		o, theirs := newOutbox(b, 1<<20)
		b.ReportAllocs()
		for b.Loop() {
			if !o.idle() { // the kernel is full: another client
				b.StopTimer()
				_, _ = o.close(), theirs.Close() // not to hold the memory of all
				o, theirs = newOutbox(b, 1<<20)
				b.StartTimer()
			}
			_ = o.send(frame)
		}
	})
	b.Run("net.Conn", func(b *testing.B) {
		o, theirs := newOutbox(b, 1<<20)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		nc := o.sock.Conn
		b.ReportAllocs()
		for b.Loop() {
			_, _ = nc.Write(frame)
		}
	})
}

// BenchmarkFrame is the building of one message's frame, which all receivers share.
func BenchmarkFrame(b *testing.B) {
	for kind, text := range map[string]string{"json": `{"text":"` + strings.Repeat("x", 117) + `"}`, "text": strings.Repeat("x", 128), "binary": strings.Repeat("\xff", 128)} {
		payload := []byte(text)
		for f := range formats {
			b.Run(kind+"/"+subprotocols[f], func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = appendMessage(make([]byte, 0, sizeHint(f, "42", payload)), f, "42", payload)
				}
			})
		}
	}
}

// BenchmarkRequest is the parsing of one message of a client.
func BenchmarkRequest(b *testing.B) {
	message := []byte(`{"type":"publish","room":"42","data":{"text":"hello"},"ref":7}`)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = parseRequest(message)
	}
}
