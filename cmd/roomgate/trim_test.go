package main

import (
	"runtime"
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

// What is alive is in what the runtime says, whatever else the process holds, and whoever collects when.
func TestHeapIsReadFromTheRuntime(t *testing.T) {
	const size = 64 << 20
	held := make([]byte, size)
	runtime.GC()
	if h := readHeap(); h.objects < size || h.live < size || h.allocated < size {
		t.Errorf("%d bytes are alive, and it read %+v", size, h)
	}
	runtime.KeepAlive(held)
}
