package gateway

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
		o.queue(queued{b: last}) // however full it is
	} else {
		_ = o.try(queued{b: last}, true) // errClosed: nobody is there to read it
	}
	o.halfClose()
	return true
}

// shutdown ends the sending side of the socket once the kernel has taken all that waits, of which the last is a close
// frame: whoever ends the connection may be about to send that, while the reader is done already.
func (o *outbox) shutdown() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.half = true
	o.halfClose()
}

// halfClose does what shutdown has asked for, if it is time. o.mu is held.
func (o *outbox) halfClose() {
	if !o.half || !o.closing || o.flushing || o.corked || o.closed {
		return
	}
	if s, ok := o.sock.Conn.(interface{ CloseWrite() error }); ok {
		_ = s.CloseWrite() // if it fails, the client is gone, which is what we wait for
	}
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
	o.forget(o.waiting[n:])
	o.forget(o.held)
	clear(o.waiting[n:])
	o.waiting, o.held = o.waiting[:n], nil
}
