package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// A token has 8 KB at most. What is much longer is not even read to its end.
func TestRequestHeadOf64KiBIsRefused(t *testing.T) {
	n := startNode(t, redistest.Start(t).URL())
	nc, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(n.url, "ws://"), "/ws"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(wstest.Patience))                                         // if it fails, so will what follows
	_, _ = io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 64<<10)) // it may be cut off within
	answer, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s, want 431", answer.Status)
	}
}
