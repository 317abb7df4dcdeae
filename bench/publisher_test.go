//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

func TestAPublisherWaitsForNobodyOnceItsContextHasEnded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // which never reads, as a Redis that hangs
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := dialWire(ctx, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }() // nothing was written that could be lost
	w.out = make([]byte, 64<<20)     // more than the kernel takes
	flushed := make(chan error, 1)
	go func() { flushed <- w.Flush() }() // ends with ctx
	cancel()
	select {
	case err := <-flushed:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits")
	}
}
