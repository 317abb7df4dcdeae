package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// A handshake that comes one byte at a time is cut off, and holds up nobody.
func TestHandshakeOfOneByteAtATimeIsCutOff(t *testing.T) {
	n := startNode(t, redistest.Start(t).URL(), "ROOMGATE_HTTP_HANDSHAKE_TIMEOUT=300ms")
	nc, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(n.url, "ws://"), "/ws"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	trickling := make(chan struct{})
	go func() {
		defer close(trickling)
		for _, b := range []byte("GET /ws HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 1000)) {
			if _, err := nc.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // the client's own pace
		}
	}()
	n.dial(v1, "r") // meanwhile another one comes in
	began := time.Now()
	_ = nc.SetReadDeadline(began.Add(wstest.Patience))
	if _, err := io.Copy(io.Discard, nc); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("reading until the end: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("cut off after %v, want about 300 ms", took)
	}
	nc.Close()
	<-trickling
}
