package gateway

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// An outbox sends frames to one client without ever waiting for it. Each send tries the
// kernel at once; only what the kernel does not take is queued, and one short-lived
// goroutine writes it. A client that lets more than limit bytes wait is slow, which is its
// own problem: nobody waits for it, and nobody else's messages are touched.
//
// Its socket is written, tried and closed here only, so that whole frames never mix and a
// closed descriptor is never used.
type outbox struct {
	limit  int             // bytes that may wait
	total  *atomic.Int64   // bytes waiting in all outboxes, for the metric
	active *sync.WaitGroup // counts the flusher

	mu       sync.Mutex // guards what follows; held for at most one system call that does not block
	sock     socket
	waiting  [][]byte // whole frames the kernel has not taken, but for the first, which may be half sent
	held     [][]byte // whole frames behind the cork
	bytes    int      // of waiting and held, and of what the flusher has in hand
	flushing bool     // the flusher writes what waits; nobody else sends
	corked   bool     // nothing new goes out before uncork
	closing  bool     // a close frame is queued or sent: nothing may follow it
	half     bool     // when the kernel has taken all, the client is to be told that nothing follows
	closed   bool
}

// Why a send did not do what it is for.
var (
	errFull   = errors.New("outbox full")       // the client does not read fast enough; nothing of the frame was sent
	errClosed = errors.New("connection closed") // or closing: nobody waits for this frame
)

// maxFlush bounds what the flusher takes in hand at once, so that a connection that turns
// out to be slow can drop the rest.
const maxFlush = 64 << 10

// send sends b, which is one or more whole frames and never written to again. It does not
// block. A frame larger than the limit passes if nothing waits before it.
func (o *outbox) send(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.closed {
		return errClosed
	}
	return o.push(b)
}

// push sends or queues b. o.mu is held.
func (o *outbox) push(b []byte) error {
	if o.flushing || o.corked {
		if o.bytes > 0 && o.bytes+cost(b) > o.limit {
			return errFull
		}
		o.queue(b)
		return nil
	}
	n, err := o.sock.send(b)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errWouldBlock) {
		return errClosed // broken: whoever reads the socket finds out and cleans up
	}
	o.queue(b[n:])
	o.startFlush()
	return nil
}

// startFlush starts the flusher. It ends when nothing waits, or when the socket is closed.
// o.mu is held.
func (o *outbox) startFlush() {
	o.flushing = true
	o.active.Go(o.flush)
}

// queue appends b to what waits. o.mu is held.
func (o *outbox) queue(b []byte) {
	if o.corked {
		o.held = append(o.held, b)
	} else {
		o.waiting = append(o.waiting, b)
	}
	o.account(cost(b))
}

// cost is what a queued frame is counted as: its bytes, and about what it takes to keep them,
// so that many tiny frames, such as pongs, are not free.
func cost(b []byte) int { return len(b) + 64 }

// flush writes what waits until nothing does. It owns the writing side of the socket while
// flushing is true.
func (o *outbox) flush() {
	for {
		bufs, size := o.take()
		if size == 0 {
			return
		}
		_, err := bufs.WriteTo(o.sock.Conn)
		o.mu.Lock()
		o.account(-size)
		if err != nil { // closed or broken: as in push
			o.drop()
			o.flushing = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
	}
}

// take takes up to maxFlush bytes (one frame at least) of what waits, and returns their cost.
// Nothing left: it ends the flushing and returns 0.
func (o *outbox) take() (bufs net.Buffers, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || o.closed {
		o.waiting = nil // not to keep a burst's array; what is held waits for uncork
		o.flushing = false
		o.halfClose()
		return nil, 0
	}
	n := 0
	for n < len(o.waiting) && (n == 0 || size+cost(o.waiting[n]) <= maxFlush) {
		size += cost(o.waiting[n])
		n++
	}
	bufs = o.waiting[:n:n]
	o.waiting = o.waiting[n:]
	return bufs, size
}

// cork queues b, and holds it and everything behind it back until uncork.
func (o *outbox) cork(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = true
	if !o.closing && !o.closed {
		o.queue(b)
	}
}

// uncork sends what was held since cork.
func (o *outbox) uncork() {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.held
	o.corked, o.held = false, nil
	for i, b := range held {
		if o.flushing {
			o.waiting = append(o.waiting, held[i:]...)
			return
		}
		o.account(-cost(b))
		_ = o.push(b) // a broken socket is for the reader to find
	}
	o.halfClose()
}

// finish sends last, which ends with a close frame, after what waits; with drop, after only
// what a half-sent frame needs. Nothing is accepted afterwards. It reports false if a close
// frame had been sent before.
func (o *outbox) finish(last []byte, drop bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.closed {
		return false
	}
	o.closing = true
	if drop {
		o.dropAfter(1) // the first may be half sent
	}
	if o.flushing || o.corked {
		o.queue(last) // however full it is
	} else {
		_ = o.push(last) // errClosed: nobody is there to read it
	}
	return true
}

// shutdown ends the sending side of the socket once the kernel has taken all that waits.
func (o *outbox) shutdown() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.half = true
	o.halfClose()
}

// halfClose does what shutdown has asked for, if it is time. o.mu is held.
func (o *outbox) halfClose() {
	if !o.half || o.flushing || o.corked || o.closed {
		return
	}
	if s, ok := o.sock.Conn.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite() // if it fails, the client is gone, which is what we wait for
	}
}

// idle reports whether the kernel has taken all that was sent.
func (o *outbox) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.flushing && !o.corked
}

// recv takes what the client has sent and the kernel has now.
func (o *outbox) recv(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, net.ErrClosed
	}
	return o.sock.recv(b)
}

// use runs f, which must not block, while the socket cannot be closed.
func (o *outbox) use(f func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	return f()
}

// close closes the socket, whatever waits. It may be called again.
func (o *outbox) close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	o.closed = true
	o.drop()
	o.mu.Unlock()
	return o.sock.Conn.Close() // wakes the flusher, if it waits in a write
}

// drop forgets what waits. o.mu is held.
func (o *outbox) drop() {
	o.dropAfter(0)
}

// dropAfter forgets what waits but for the first n buffers. o.mu is held.
func (o *outbox) dropAfter(n int) {
	n = min(n, len(o.waiting))
	for _, b := range o.waiting[n:] {
		o.account(-cost(b))
	}
	for _, b := range o.held {
		o.account(-cost(b))
	}
	clear(o.waiting[n:])
	o.waiting, o.held = o.waiting[:n], nil
}

// account adds n to what waits. o.mu is held.
func (o *outbox) account(n int) {
	o.bytes += n
	o.total.Add(int64(n))
}
