// Package wstest is a WebSocket client for tests. It speaks RFC 6455 by hand, so that a test
// sees every byte that the server sends and can send what no well-behaved client would.
package wstest

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// Opcodes of RFC 6455 section 5.2.
const (
	Text   = 0x1
	Binary = 0x2
	Close  = 0x8
	Ping   = 0x9
	Pong   = 0xA
)

// Patience is how long a client waits for a frame before its test fails.
const Patience = 20 * time.Second

// maxRefusal is more than any server says that refuses a handshake, in bytes.
const maxRefusal = 64 << 10

// A Client is one connection. Its methods fail the test on trouble, unless they return an error.
type Client struct {
	t        testing.TB
	nc       net.Conn
	br       *bufio.Reader
	Response *http.Response // of the handshake
	Patience time.Duration  // for a frame; Patience if zero; negative: for ever
}

// A Frame is one frame from the server.
type Frame struct {
	Op         byte
	Payload    []byte
	Compressed bool // it came so (RFC 7692), with its payload inflated here
}

// CloseCode is the status code of a close frame; 0 if f is none, 1005 if it has none.
func (f Frame) CloseCode() int {
	switch {
	case f.Op != Close:
		return 0
	case len(f.Payload) < 2:
		return 1005
	}
	return int(binary.BigEndian.Uint16(f.Payload))
}

// String shows a frame in a test's failure.
func (f Frame) String() string {
	if f.Op == Close && len(f.Payload) >= 2 {
		return fmt.Sprintf("close %d %q", f.CloseCode(), f.Payload[2:])
	}
	return fmt.Sprintf("opcode %d %q", f.Op, f.Payload)
}

// Dial connects to a ws:// URL and expects to be upgraded. Header lines are "Name: value".
func Dial(t testing.TB, wsURL string, header ...string) *Client {
	t.Helper()
	c, err := Try(t, wsURL, header...)
	if err != nil {
		t.Fatal(err)
	}
	if c.Response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(c.Response.Body)
		t.Fatalf("GET %s: got %s %s, want 101", wsURL, c.Response.Status, body)
	}
	return c
}

// Try connects to a ws:// URL, whatever the answer is. The test's end closes the connection.
func Try(t testing.TB, wsURL string, header ...string) (*Client, error) {
	u, err := url.Parse(wsURL)
	if err != nil {
		return nil, err
	}
	nc, err := net.DialTimeout("tcp", u.Host, Patience)
	if err != nil {
		return nil, err
	}
	return Over(t, nc, wsURL, header...)
}

// Over is Try over a connection that exists.
func Over(t testing.TB, nc net.Conn, wsURL string, header ...string) (*Client, error) {
	t.Cleanup(func() { _ = nc.Close() })
	u, err := url.Parse(wsURL)
	if err != nil {
		return nil, err
	}
	req := []string{"GET " + u.RequestURI() + " HTTP/1.1", "Host: " + u.Host, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key()}
	if _, err := io.WriteString(nc, strings.Join(append(req, header...), "\r\n")+"\r\n\r\n"); err != nil {
		return nil, err
	}
	return answer(t, nc)
}

// Resume reads the answer to a request that the test has sent over nc by itself.
func Resume(t testing.TB, nc net.Conn) *Client {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	c, err := answer(t, nc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(t testing.TB, nc net.Conn) (c *Client, err error) {
	c = &Client{t: t, nc: nc, br: bufio.NewReaderSize(nc, 1<<10)}
	c.Response, err = http.ReadResponse(c.br, &http.Request{Method: http.MethodGet})
	if err != nil || c.Response.StatusCode == http.StatusSwitchingProtocols {
		return c, err
	}
	body, err := io.ReadAll(io.LimitReader(c.Response.Body, maxRefusal))
	c.Response.Body = io.NopCloser(bytes.NewReader(body))
	secrecy.Text(t, fmt.Sprint(c.Response.Status, c.Response.Header, string(body)))
	return c, err
}

func key() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}
