package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHeapIsTrimmedOnceAStormIsOver(t *testing.T) {
	const mib = 1 << 20
	var tr trimmer
	start := time.Now()
	for i, look := range []struct {
		what string
		at   time.Duration
		heap heap
		want bool
	}{
		{"the storm", 0, heap{allocated: 200 * mib, objects: 60 * mib, live: 30 * mib}, false},
		{"its end", time.Second, heap{allocated: 250 * mib, objects: 70 * mib, live: 30 * mib, free: 5 * mib}, false},
		{"quiet", 2 * time.Second, heap{allocated: 250 * mib, objects: 70 * mib, live: 30 * mib, free: 5 * mib}, true},
		{"too soon", 3 * time.Second, heap{allocated: 250 * mib, objects: 70 * mib, live: 30 * mib}, false},
		{"again, after a pause", 40 * time.Second, heap{allocated: 250 * mib, objects: 70 * mib, live: 30 * mib}, true},
		{"nothing to gain", 80 * time.Second, heap{allocated: 250 * mib, objects: 35 * mib, live: 31 * mib, free: mib}, false},
		{"little of a large heap", 120 * time.Second, heap{allocated: 250 * mib, objects: 900 * mib, live: 890 * mib, free: 2 * mib}, false},
		{"counted after a collection", 160 * time.Second, heap{allocated: 250 * mib, objects: 30 * mib, live: 40 * mib, free: mib}, false},
	} {
		if got := tr.due(start.Add(look.at), look.heap); got != look.want {
			t.Errorf("look %d, %s: %v, want %v", i, look.what, got, look.want)
		}
	}
}

var garbage [][]byte

func TestTrimmingGivesGarbageBack(t *testing.T) {
	for range 64 << 10 {
		garbage = append(garbage, make([]byte, 1<<10))
	}
	garbage = nil
	before := readHeap()
	var tr trimmer
	now := time.Now()
	tr.due(now, before)
	if !tr.due(now.Add(time.Second), readHeap()) {
		t.Fatalf("64 MiB of garbage are not worth a trim: %+v", before)
	}
	debug.FreeOSMemory()
	if after := readHeap(); after.objects+after.free > before.objects+before.free-32<<20 {
		t.Errorf("of %+v %+v is left", before, after)
	}
	runtime.KeepAlive(garbage)
}
