package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// attend is attendTo as a goroutine's whole work.
func (c *conn) attend() {
	defer c.guard()
	c.attendTo()
}

// guard keeps a panic, which is our bug, to the connection in which it happened.
func (c *conn) guard() {
	if p := recover(); p != nil {
		if c.leaving { // half of it is done: nobody could tell what is left
			go panic(p)
			select {}
		}
		c.g.log.LogAttrs(c.g.ctx, slog.LevelError, "panic", slog.String("event", "panic"), slog.String("conn", c.name()),
			slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
		c.end(endBug)
		c.linger()
		c.leave()
	}
}

// attendTo reads and answers what the client sends. It returns when there is nothing to read
// and the connection could be parked, or, after leave, when it has ended.
//
// It stands at a frame boundary whenever it peeks: frames that stand alone there and need no
// answer from the library (pings and pongs, which are most of what idle clients send) are
// dealt with here, without its timers and allocations; all else is the library's.
func (c *conn) attendTo() {
	for {
		head, err := c.awaitFrame()
		if errors.Is(err, errParked) {
			return
		}
		if err == nil {
			c.handling.Store(true)
			if isPingPong(head) {
				err = c.control(head)
			} else {
				err = c.message()
			}
			c.handling.Store(false)
		}
		if err != nil {
			c.settle(err)
			c.leave()
			return
		}
		c.frameDone()
	}
}

// errParked says that the connection stands in the poller and is nobody's to read any more.
var errParked = errors.New("parked")

// awaitFrame returns the first two bytes of the next frame, without consuming them.
func (c *conn) awaitFrame() (head []byte, err error) {
	c.peeking = true
	head, err = c.br.Peek(2)
	c.peeking = false
	if !errors.Is(err, errWouldBlock) {
		c.begun = err == nil
		return head, err
	}
	if c.br.Buffered() == 0 {
		if c.park() {
			return nil, errParked
		}
		if _, err = c.br.Peek(1); err != nil {
			return nil, err
		}
	}
	c.begun = true
	return c.br.Peek(2)
}

// frameDone notes that the client has finished a frame, which is a sign of life.
func (c *conn) frameDone() {
	c.begun = false
	if c.deadline {
		c.deadline = false
		_ = c.out.sock.SetReadDeadline(time.Time{}) // if it fails, so will the next read
	}
	c.lastLife.Store(c.g.now())
}

// park leaves the connection to the poller. If it reports true, the connection belongs to
// whoever the poller wakes, and must not be touched.
func (c *conn) park() bool {
	if !c.out.sock.raw {
		return false
	}
	add := !c.watched
	if add {
		c.watched = true
		c.g.poller.watch(c)
	}
	c.parked.Store(true) // what is c's own must not be touched from here on
	if c.g.poller.arm(c, add) {
		return true
	}
	// It cannot be watched. If somebody killed it meanwhile, it has a goroutine already.
	return !c.parked.CompareAndSwap(true, false)
}

// readable is called by the poller, which must not wait: the socket has something to read,
// or has ended. A pong that is all there is ends here, anything else gets a goroutine.
func (c *conn) readable() {
	if !c.parked.CompareAndSwap(true, false) {
		return // killed meanwhile: whoever did it sent somebody
	}
	c.peeking = true
	frame, err := c.br.Peek(pongLength)
	c.peeking = false
	if err == nil && c.br.Buffered() == pongLength && isEmptyPong(frame) && c.controls.allow(c.g.opts().messageLimit, c.g.now()) {
		_, _ = c.br.Discard(pongLength) // it is buffered: cannot fail
		c.frameDone()
		if c.park() {
			return
		}
	}
	c.g.active.Go(c.attend)
}

// pongLength is the length of a client's pong without payload: two bytes and the mask. Ours
// are the only pings it answers, and they have none.
const pongLength = 6

func isEmptyPong(frame []byte) bool { return frame[0] == 0x80|opPong && frame[1] == 0x80 }

// isPingPong reports whether head begins a ping or pong that RFC 6455 section 5.5 allows
// (whole, no RSV bit, masked, at most 125 bytes). Others the library refuses.
func isPingPong(head []byte) bool {
	return (head[0] == 0x80|opPing || head[0] == 0x80|opPong) && head[1]&0x80 != 0 && head[1]&0x7f <= 125
}

// control consumes a ping or pong, and answers the ping with its payload unmasked.
func (c *conn) control(head []byte) error {
	const header = 2 + 4
	op, n := head[0]&0x0f, int(head[1]&0x7f)
	frame, err := c.br.Peek(header + n) // at most 131 bytes: fits the buffer
	if err != nil {
		return err
	}
	if !c.mayControl() {
		return c.refuseControl(header + n)
	}
	if op == opPing {
		mask, payload := frame[2:header], frame[header:]
		pong := appendHeader(make([]byte, 0, 2+n), opPong, n)
		for i, b := range payload {
			pong = append(pong, b^mask[i%4])
		}
		c.sayFrame(pong)
	}
	_, err = c.br.Discard(header + n)
	return err
}

// mayControl counts a ping or pong, and reports whether it is to be taken. Pings and pongs have the
// allowance of messages once more, for themselves.
func (c *conn) mayControl() bool {
	return c.controls.allow(c.g.opts().messageLimit, c.g.now()) || !c.overRate()
}

// refuseControl consumes a ping or pong over the rate without an answer. Who goes on is closed,
// as with messages.
func (c *conn) refuseControl(n int) error {
	if !c.refusals.allow(c.g.opts().messageLimit, c.g.now()) {
		c.end(endRateExceeded)
	}
	_, err := c.br.Discard(n) // buffered: cannot fail
	return err
}

// message lets the library read one message, and answers it. A close frame and every
// violation of the protocol come back as an error.
func (c *conn) message() error {
	typ, r, err := c.ws.Reader(context.Background()) // ends with the socket, or by its deadline
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	data, err := readAll(r, (*buf)[:0])
	*buf = data
	if err != nil {
		return err
	}
	if len(data) > c.g.opts().MessageBytes { // in a dry run, or with a limit lowered since
		c.g.exceeded(limitBytes, c.client.addr)
	}
	if c.ended.Load() != nil {
		return nil // closing: it is too late to ask for anything
	}
	if typ == websocket.MessageText && !utf8.Valid(data) { // the library does not look
		return errNotUTF8
	}
	c.answer(typ, data)
	return nil
}

var errNotUTF8 = errors.New("text that is not UTF-8")

// buffers are for inbound messages, which are read whole and kept by nobody.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// readAll appends all of r to b.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// settle turns the error that ended the reading into the connection's ending, and lets the
// client read the close frame before the socket goes.
func (c *conn) settle(err error) {
	e := endingOf(err)
	if e.label == endTooBig.label {
		c.g.exceeded(limitBytes, c.client.addr)
	}
	if e.label == endClient.label { // the library has answered; the answer may still wait
		if c.ended.CompareAndSwap(nil, &e) && !c.out.idle() {
			c.cutOffLater()
			c.linger()
		}
		return
	}
	c.end(e) // no effect if it was ending already
	if e.code != 0 {
		c.linger()
	}
}

// endingOf tells why reading ended.
func endingOf(err error) ending {
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		return endClient.because(strconv.Itoa(int(closed.Code)))
	case errors.Is(err, errNotUTF8):
		return endUTF8
	case errors.Is(err, websocket.ErrMessageTooBig):
		return endTooBig
	case errors.Is(err, os.ErrDeadlineExceeded):
		return endStalledFrame
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), isNetError(err):
		return endLost
	default:
		return endProtocol // what the library refuses; it has sent 1002, or we do
	}
}

// isNetError reports whether err came from the socket.
func isNetError(err error) bool {
	var op *net.OpError
	var sys interface{ Timeout() bool } // syscall.Errno and what wraps it
	return errors.As(err, &op) || errors.As(err, &sys)
}

// linger throws away what the client still sends until it has seen the close frame and ends
// its side, or closeTimeout cuts it off. Without it the kernel would answer what is unread
// with a reset, which can overtake the close frame.
func (c *conn) linger() {
	_ = c.out.sock.SetReadDeadline(time.Time{})
	c.out.shutdown()
	_, _ = io.Copy(io.Discard, c.out.sock.Conn)
}
