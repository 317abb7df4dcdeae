package gateway

import (
	"errors"
	"net"
	"sync"
)

// An outbox sends frames to one client without ever waiting for it. Each send tries the
// kernel at once; only what the kernel does not take is queued, and one short-lived
// goroutine writes it. A client that lets more than limit bytes wait is slow, which is its
// own problem: nobody waits for it, and nobody else's messages are touched.
//
// The memory of all outboxes together is bounded too. An outbox may hold as much as is left of it
// for all, so the fuller they are, the less each may hold: whoever has most waiting is refused
// first, and there is always some left for who has little (docs/adr/0026).
//
// Its socket is written, tried and closed here only, so that whole frames never mix and a
// closed descriptor is never used.
type outbox struct {
	limit  int             // bytes that may wait
	all    *backlog        // of which this is a part
	active *sync.WaitGroup // counts the flusher

	mu       sync.Mutex // guards what follows; held for at most one system call that does not block
	sock     socket
	waiting  []queued // what the kernel has not taken; of the first, some
	held     []queued // whole frames behind the cork
	bytes    int      // of waiting and held, and of what the flusher has in hand
	flushing bool     // the flusher writes what waits; nobody else sends
	corked   bool     // nothing new goes out before uncork
	closing  bool     // a close frame is queued or sent: nothing may follow it
	half     bool     // when the kernel has taken all, the client is to be told that nothing follows
	closed   bool
}

// Why a send did not do what it is for.
var (
	errFull    = errors.New("outbox full")       // the client does not read fast enough; nothing of the frame was sent
	errAllFull = errors.New("outboxes full")     // likewise, and it is the memory of all outboxes that is short
	errClosed  = errors.New("connection closed") // or closing: nobody waits for this frame
)

// maxFlush bounds what the flusher takes in hand at once, so that a connection that turns
// out to be slow can drop the rest.
const maxFlush = 64 << 10

// send sends b, which is one or more whole frames and never written to again. It does not
// block. A frame larger than the limit passes if nothing waits before it.
func (o *outbox) send(b []byte) error { return o.sendQueued(queued{b: b}) }

// sendQueued is send for what other outboxes may be given too.
func (o *outbox) sendQueued(q queued) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.closed {
		return errClosed
	}
	return o.push(q)
}

// push sends or queues q. o.mu is held.
func (o *outbox) push(q queued) error {
	if o.flushing || o.corked {
		if err := o.fits(q); err != nil {
			return err
		}
		o.queue(q)
		return nil
	}
	return o.try(q, false)
}

// try gives q to the kernel. What that does not take waits, if there is memory left, or if it must.
// Nobody may be flushing. o.mu is held.
func (o *outbox) try(q queued, must bool) error {
	n, err := o.sock.send(q.b)
	if err == nil {
		return nil
	}
	if !errors.Is(err, errWouldBlock) {
		return errClosed // broken: whoever reads the socket finds out and cleans up
	}
	if n == 0 && !must && o.all.free() <= 0 {
		return errAllFull
	}
	o.queue(queued{q.b[n:], q.of}) // a frame that is half sent must go on
	o.startFlush()
	return nil
}

// fits says why q may not wait behind what waits, or nil. o.mu is held.
func (o *outbox) fits(q queued) error {
	switch free := o.all.free(); {
	case free <= 0:
		return errAllFull
	case o.bytes == 0:
		return nil
	case o.bytes+q.cost() > o.limit:
		return errFull
	case int64(o.bytes+q.cost()) > free:
		return errAllFull
	}
	return nil
}

// startFlush starts the flusher. It ends when nothing waits, or when the socket is closed.
// o.mu is held.
func (o *outbox) startFlush() {
	o.flushing = true
	o.active.Go(o.flush)
}

// queue appends q to what waits. o.mu is held.
func (o *outbox) queue(q queued) {
	if o.corked {
		o.held = append(o.held, q)
	} else {
		o.waiting = append(o.waiting, q)
	}
	o.bytes += q.cost()
	o.all.add(q)
}

// forget undoes queue's count of list. o.mu is held.
func (o *outbox) forget(list []queued) {
	for _, q := range list {
		o.bytes -= q.cost()
		o.all.remove(q)
	}
}

// flush writes what waits until nothing does. It owns the writing side of the socket while
// flushing is true.
func (o *outbox) flush() {
	for {
		taken := o.take()
		if len(taken) == 0 {
			return
		}
		bufs := make(net.Buffers, len(taken)) // WriteTo uses it up
		for i, q := range taken {
			bufs[i] = q.b
		}
		_, err := bufs.WriteTo(o.sock.Conn)
		o.mu.Lock()
		o.forget(taken)
		clear(taken)    // not to keep what is sent
		if err != nil { // closed or broken: as in push
			o.drop()
			o.flushing = false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
	}
}

// take takes up to maxFlush bytes (one frame at least) of what waits. They are counted until they
// are sent. Nothing left: it ends the flushing.
func (o *outbox) take() (taken []queued) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || o.closed {
		o.waiting = nil // not to keep a burst's array; what is held waits for uncork
		o.flushing = false
		o.halfClose()
		return nil
	}
	n, size := 0, 0
	for n < len(o.waiting) && (n == 0 || size+o.waiting[n].cost() <= maxFlush) {
		size += o.waiting[n].cost()
		n++
	}
	taken = o.waiting[:n:n]
	o.waiting = o.waiting[n:]
	return taken
}

// cork queues b, and holds it and everything behind it back until uncork.
func (o *outbox) cork(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = true
	if !o.closing && !o.closed {
		o.queue(queued{b: b})
	}
}

// uncork sends what was held since cork.
func (o *outbox) uncork() {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.held
	o.corked, o.held = false, nil
	for i := range held {
		if o.flushing {
			o.waiting = append(o.waiting, held[i:]...)
			return
		}
		o.forget(held[i : i+1])
		_ = o.try(held[i], true) // a broken socket is for the reader to find
	}
	o.halfClose()
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
