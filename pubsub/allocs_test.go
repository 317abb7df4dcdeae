package pubsub

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
)

// burst has Redis publish payload n times to room a, and waits until got has n more.
func burst(t testing.TB, backend *redis.Client, got *counter, payload []byte, n int) {
	t.Helper()
	want := got.n.Load() + int64(n)
	if err := backend.Eval(t.Context(), publishMany, []string{prefix + "a"}, payload, n).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "messages", func() bool { return got.n.Load() >= want })
}

// What a message costs on its way from Redis's socket to the Receiver: the payload's own memory, and a few small things.
func TestMessageFromRedisAllocatesItsPayloadOnce(t *testing.T) {
	const (
		n    = 500
		most = 11      // allocations a message: those of go-redis, which wraps each reply
		size = 8 << 10 // a size that Go's allocator has, so that nothing is rounded
	)
	s := redistest.Start(t)
	var got counter
	b := runWith(t, Options{URL: s.URL(), ChannelPrefix: prefix}, &got)
	subscribe(t, b, "a")
	backend := s.Client()
	payload := bytes.Repeat([]byte("x"), size)
	burst(t, backend, &got, payload, n) // what is allocated once, such as connections

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	burst(t, backend, &got, payload, n)
	runtime.ReadMemStats(&after)
	allocations, memory := float64(after.Mallocs-before.Mallocs)/n, float64(after.TotalAlloc-before.TotalAlloc)/n
	t.Logf("a message of %d B: %.2f allocations, %.0f B", size, allocations, memory)
	if memory < size || memory > 1.2*size {
		t.Errorf("a message of %d B takes %.0f B, want its own size and little more", size, memory)
	}
	if allocations > most {
		t.Errorf("a message takes %.2f allocations, want %d at most", allocations, most)
	}
}
