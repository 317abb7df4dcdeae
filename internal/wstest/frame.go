package wstest

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

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
