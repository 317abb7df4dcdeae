//go:build linux

package chaos

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

const (
	dialTime  = 10 * time.Second // for a connection and its handshake
	readTime  = 75 * time.Second // for a frame: the gateway pings every 30 s
	refusal   = 4 << 10          // bytes of a refusal that are read
	frameMost = 16 << 20         // bytes of a frame that is believed

	controlMost = 125 // bytes of a control frame (RFC 6455, section 5.5)
)

// A wire is one WebSocket connection, of a client that does nothing wrong. internal/wstest has one
// for tests that want to see every byte; thousands that come and go need one that fails no test.
type wire struct {
	nc net.Conn
	br *bufio.Reader
	in []byte // of the frame read last
}

// A refused is an answer other than 101.
type refused struct {
	status int
	after  time.Duration // Retry-After; negative: none
	text   string
}

// A violation is a breach of RFC 6455, or of the protocol, by the gateway.
type violation string

func (v violation) Error() string { return "the gateway sent " + string(v) }

func (r *refused) Error() string { return fmt.Sprintf("refused: %d %s", r.status, r.text) }

// dialWire connects to addr, by TLS if secure is not nil. Its error is a *refused if an answer came that is not 101.
func dialWire(ctx context.Context, addr string, secure *tls.Config, query, format, token string) (*wire, error) {
	d := net.Dialer{Timeout: dialTime}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		nc = tls.Client(nc, secure) // whose handshake comes with the first write
	}
	c := &wire{nc: nc, br: bufio.NewReaderSize(nc, 1<<10)}
	defer context.AfterFunc(ctx, c.close)() // which ends the handshake, too
	if err := c.shake(addr, query, format, token); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *wire) shake(addr, query, format, token string) error {
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	lines := []string{"GET /ws?" + query + " HTTP/1.1", "Host: " + addr, "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.StdEncoding.EncodeToString(key),
		"Sec-WebSocket-Protocol: " + format, "Authorization: Bearer " + token}
	if err := c.nc.SetDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	if _, err := io.WriteString(c.nc, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.br, &http.Request{Method: http.MethodGet})
	if err != nil {
		return err
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		return c.nc.SetDeadline(time.Time{})
	}
	defer answer.Body.Close()
	r := &refused{status: answer.StatusCode, after: -1}
	if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		r.after = time.Duration(s) * time.Second
	}
	body, _ := io.ReadAll(io.LimitReader(answer.Body, refusal)) // what of it came
	r.text = strings.TrimSpace(string(body))
	return r
}

// read returns the next frame that is not a ping, which it answers. Its payload is good until the next call.
func (c *wire) read() (op byte, payload []byte, err error) {
	for {
		if err := c.nc.SetReadDeadline(time.Now().Add(readTime)); err != nil {
			return 0, nil, err
		}
		op, payload, err := c.frame()
		if err != nil || op != wstest.Ping {
			return op, payload, err
		}
		if err := c.send(wstest.Pong, payload); err != nil {
			return 0, nil, err
		}
	}
}

func (c *wire) frame() (op byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(c.br, head[:2]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xF0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, violation(fmt.Sprintf("header %x: fragmented, with RSV bits, or masked", head[:2]))
	}
	switch op = head[0] & 0x0F; {
	case op >= wstest.Close && head[1] > controlMost:
		return 0, nil, violation(fmt.Sprintf("header %x: a control frame of more than %d bytes", head[:2], controlMost))
	case op == 0, op > wstest.Binary && op < wstest.Close, op > wstest.Pong:
		return 0, nil, violation(fmt.Sprintf("header %x: no opcode to begin with", head[:2]))
	case op == wstest.Close && head[1] == 1:
		return 0, nil, violation("a close frame with half a code")
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.br, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(c.br, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > frameMost {
		return 0, nil, violation(fmt.Sprintf("a frame of %d bytes", n))
	}
	if uint64(cap(c.in)) < n {
		c.in = make([]byte, n)
	}
	payload = c.in[:n]
	_, err = io.ReadFull(c.br, payload)
	return op, payload, err
}

// send sends one whole, masked frame.
func (c *wire) send(op byte, payload []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	_, err := c.nc.Write(wstest.AppendFrame(nil, 0x80|op, payload))
	return err
}

func (c *wire) close() { c.nc.Close() }
