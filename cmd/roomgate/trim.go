package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// When the heap is trimmed.
const (
	trimLook  = time.Second      // between two looks
	trimPause = 30 * time.Second // between two trims, at least
	trimQuiet = 1 << 20          // bytes allocated between two looks, below which nothing much goes on
	trimWorth = 8 << 20          // bytes that it must be able to give back, and an eighth of the heap
)

// A trimmer gives memory back to the system when a storm is over. What connecting 10,000 clients
// leaves behind is half as much again as they hold; Go would keep it until the heap has doubled, which
// for connections that stay idle is never (docs/adr/0020).
type trimmer struct {
	allocated uint64    // in all, at the last look
	trimmed   time.Time // zero: never
}

// A heap is what the runtime says of its heap, in bytes.
type heap struct {
	allocated uint64 // since the process began
	objects   uint64 // living, and dead ones that were not found yet
	live      uint64 // of objects, at the last collection
	free      uint64 // held for nothing
}

// run looks now and then until ctx ends.
func (t *trimmer) run(ctx context.Context) error {
	every := time.NewTicker(trimLook)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-every.C:
			if t.due(now, readHeap()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// due reports whether to trim now: nothing much was allocated since the last look, and there is enough
// to give back.
func (t *trimmer) due(now time.Time, h heap) bool {
	quiet := h.allocated-t.allocated < trimQuiet
	t.allocated = h.allocated
	unneeded := h.free
	if h.objects > h.live {
		unneeded += h.objects - h.live
	}
	if !quiet || unneeded < max(trimWorth, (h.objects+h.free)/8) || now.Sub(t.trimmed) < trimPause {
		return false
	}
	t.trimmed = now
	return true
}

func readHeap() heap {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(samples)
	return heap{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()}
}
