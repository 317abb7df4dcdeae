package gateway

import (
	"errors"
	"net"
	"time"
)

// A wire is a connection as the WebSocket library sees it: the net.Conn that it reads frames
// from and writes control frames to. The library never writes data frames here (docs/adr/0002
// lists what this rests on); its control frames are at most 127 bytes, fit its write buffer of
// 128, and so come in one Write each.
type wire conn

// Read fills p with what the client sent. While c.peeking it does not wait, but returns
// errWouldBlock. Otherwise it waits; inside a begun frame for at most the frame timeout.
func (w *wire) Read(p []byte) (int, error) {
	c := (*conn)(w)
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	n, err := c.out.recv(p)
	if !errors.Is(err, errWouldBlock) || c.peeking {
		return n, err
	}
	if c.begun && !c.deadline {
		c.deadline = true
		if err := c.out.sock.SetReadDeadline(time.Now().Add(c.g.opts().FrameTimeout)); err != nil {
			return 0, err
		}
	}
	return c.out.sock.Read(p)
}

// Write queues one control frame of the library's, behind what waits. After a close frame of
// ours nothing may follow: the library, which does not know of it, believes its own was sent.
func (w *wire) Write(p []byte) (int, error) {
	c := (*conn)(w)
	frame := append([]byte(nil), p...) // the library reuses p, the outbox keeps frame
	switch {
	case frame[0]&0x0f == opClose:
		c.out.finish(frame, false)
	case c.mayControl(): // an answer to a ping within a message
		c.sayFrame(frame)
	case !c.refusals.allow(c.g.opts().messageLimit, c.g.now()):
		c.end(endRateExceeded)
	}
	return len(p), nil // a broken socket is for the reader to find
}

// Close does nothing. The library closes when it has answered a close frame, before the answer
// may have left the outbox, and after errors, which the reader gets too: that one ends the
// connection (read.go).
func (w *wire) Close() error { return nil }

func (w *wire) LocalAddr() net.Addr                { return w.out.sock.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr               { return w.out.sock.RemoteAddr() }
func (w *wire) SetDeadline(t time.Time) error      { return w.out.sock.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.out.sock.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.out.sock.SetWriteDeadline(t) }

var _ net.Conn = (*wire)(nil)
