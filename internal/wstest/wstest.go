// Package wstest is a WebSocket client for tests. It speaks RFC 6455 by hand, so that a test
// sees every byte that the server sends and can send what no well-behaved client would.
package wstest

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
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

// Read returns the next frame as it came, pings included.
func (c *Client) Read() (Frame, error) {
	patience := c.Patience
	if patience == 0 {
		patience = Patience
	}
	if patience > 0 {
		if err := c.nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return Frame{}, err
		}
	}
	var head [2]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		return Frame{}, err
	}
	const rsv1 = 0x40
	compressed := head[0]&rsv1 != 0 && c.Response.Header.Get("Sec-WebSocket-Extensions") != ""
	if compressed {
		head[0] &^= rsv1
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 != 0 {
		return Frame{}, fmt.Errorf("server sent header %x: fragmented, with RSV bits, or masked", head)
	}
	n, err := c.length(head[1])
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Op: head[0] & 0x0F, Payload: make([]byte, n), Compressed: compressed}
	if _, err = io.ReadFull(c.br, f.Payload); err == nil && compressed {
		f.Payload, err = Inflate(f.Payload)
	}
	if f.Op == Close || bytes.HasPrefix(f.Payload, []byte(`{"type":"error"`)) {
		secrecy.Text(c.t, string(f.Payload))
	}
	return f, err
}

// Inflate undoes the compression of one message (RFC 7692, section 7.2.2).
func Inflate(payload []byte) ([]byte, error) {
	const tail, last = "\x00\x00\xff\xff", "\x01\x00\x00\xff\xff" // an empty block that says it is the last
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail+last))))
}

// Deflate compresses one message as RFC 7692, section 7.2.1, says.
func Deflate(payload []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // fails for levels that do not exist
	_, _ = w.Write(payload)                            // into memory: cannot fail
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xFF, 0xFF})
}

// length reads a frame's extended length, if short says that there is one.
func (c *Client) length(short byte) (uint64, error) {
	var b [8]byte
	switch short {
	case 126:
		_, err := io.ReadFull(c.br, b[:2])
		return uint64(binary.BigEndian.Uint16(b[:])), err
	case 127:
		_, err := io.ReadFull(c.br, b[:])
		return binary.BigEndian.Uint64(b[:]), err
	}
	return uint64(short), nil
}

// Next returns the next frame that is not a ping, which it answers, or a pong.
func (c *Client) Next() Frame {
	c.t.Helper()
	f, err := c.NextErr()
	if err != nil {
		c.t.Fatalf("waiting for a frame: %v", err)
	}
	return f
}

// NextErr is Next for goroutines that must not fail the test, and for connections that end.
func (c *Client) NextErr() (Frame, error) {
	for {
		f, err := c.Read()
		switch {
		case err != nil:
			return f, err
		case f.Op == Ping:
			if err := c.SendErr(Pong, f.Payload); err != nil {
				return f, err
			}
		case f.Op != Pong:
			return f, nil
		}
	}
}

// WantText expects the next frame to be exactly this text.
func (c *Client) WantText(want string) {
	c.t.Helper()
	if f := c.Next(); f.Op != Text || string(f.Payload) != want {
		c.t.Fatalf("got %v, want text %q", f, want)
	}
}

// WantType expects the next frame to be a JSON object of this type, and returns it.
func (c *Client) WantType(want string) map[string]any {
	c.t.Helper()
	f := c.Next()
	var m map[string]any
	if f.Op != Text || json.Unmarshal(f.Payload, &m) != nil || m["type"] != want {
		c.t.Fatalf("got %v, want a JSON object of type %q", f, want)
	}
	return m
}

// WantClose expects the next frame to be a close frame with this code, answers it, and
// expects the server to end the connection. It returns the reason.
func (c *Client) WantClose(code int) string {
	c.t.Helper()
	f := c.Next()
	if f.CloseCode() != code {
		c.t.Fatalf("got %v, want close %d", f, code)
	}
	_ = c.SendErr(Close, f.Payload[:min(2, len(f.Payload))]) // the server may be gone already
	if f, err := c.Read(); err == nil {
		c.t.Fatalf("after a close frame the server sent %v", f)
	}
	return string(f.Payload[min(2, len(f.Payload)):])
}

// WantGone expects the server to end the connection without another frame.
func (c *Client) WantGone() {
	c.t.Helper()
	if f, err := c.NextErr(); err == nil {
		c.t.Fatalf("got %v, want the connection to end", f)
	}
}

// Send sends one whole, masked frame.
func (c *Client) Send(op byte, payload []byte) {
	c.t.Helper()
	if err := c.SendErr(op, payload); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// SendText sends a text message.
func (c *Client) SendText(s string) {
	c.t.Helper()
	c.Send(Text, []byte(s))
}

// SendErr is Send that returns its error.
func (c *Client) SendErr(op byte, payload []byte) error {
	return c.RawErr(AppendFrame(nil, 0x80|op, payload))
}

// Raw sends bytes as they are.
func (c *Client) Raw(b []byte) {
	c.t.Helper()
	if err := c.RawErr(b); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// RawErr is Raw that returns its error.
func (c *Client) RawErr(b []byte) error {
	_, err := c.nc.Write(b)
	return err
}

// Drop closes the TCP connection without a close frame.
func (c *Client) Drop() { _ = c.nc.Close() }

// Conn is the TCP connection.
func (c *Client) Conn() net.Conn { return c.nc }

// AppendFrame appends a masked frame whose first byte (FIN, RSV, opcode) is first.
func AppendFrame(b []byte, first byte, payload []byte) []byte {
	b = append(b, first)
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d} // of RFC 6455 section 5.7
	b = append(b, mask[:]...)
	for i, v := range payload {
		b = append(b, v^mask[i%4])
	}
	return b
}
