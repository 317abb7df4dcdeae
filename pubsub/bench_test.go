package pubsub

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
)

type counter struct{ n atomic.Int64 }

func (c *counter) Deliver(string, []byte) { c.n.Add(1) }
func (c *counter) Gap(string)             {}
func (c *counter) Control([]byte)         {}

// publishMany has Redis publish one payload many times, so that publishing costs next to nothing here.
const publishMany = `for i = 1, tonumber(ARGV[2]) do redis.call('PUBLISH', KEYS[1], ARGV[1]) end return 1`

// BenchmarkDeliver is one message of 200 B from Redis's socket to the Receiver.
func BenchmarkDeliver(b *testing.B) {
	s := redistest.Start(b)
	var got counter
	broker := runWith(b, fast(s), &got)
	subscribe(b, broker, "a")
	backend := s.Client()
	const batch = 1000
	payload := bytes.Repeat([]byte("x"), 200)
	b.ReportAllocs()
	for sent := 0; sent < b.N; {
		n := min(batch, b.N-sent)
		if err := backend.Eval(b.Context(), publishMany, []string{prefix + "a"}, payload, n).Err(); err != nil {
			b.Fatal(err)
		}
		sent += n
		for got.n.Load() < int64(sent) {
			runtime.Gosched()
		}
	}
}
