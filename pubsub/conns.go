package pubsub

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// conns are the open connections of pools, so that they can be closed at once when what they lead to
// is the wrong server: a PUBLISH there succeeds, and reaches nobody.
type conns struct {
	mu    sync.Mutex
	open  map[*kept]struct{}
	where string // what the last link is connected to; empty before the first
	turn  int    // how often all were closed
}

// now is to be asked before a server is picked, for keep.
func (c *conns) now() (turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// follow is for a link that is connected to remote. If that is another server than the last link's, whatever ended that
// one, those who publish must not stay behind: all they have is closed. The link has told no gap yet, so what they
// published in between is covered.
func (c *conns) follow(remote net.Addr) {
	if remote == nil {
		return
	}
	c.mu.Lock()
	moved := c.where != "" && c.where != remote.String()
	c.where = remote.String()
	c.mu.Unlock()
	if moved {
		c.closeAll()
	}
}

var errMovedOn = errors.New("another server was found while this one was dialled")

// A kept connection leaves its set when it is closed.
type kept struct {
	net.Conn          // as its user has it, maybe TLS
	below    net.Conn // whose Close never waits
	set      *conns
	closed   atomic.Bool
}

// keep adds conn to the set. If all were closed since turn, conn is closed, too: it may lead to what they did.
func (c *conns) keep(conn, below net.Conn, turn int) (net.Conn, error) {
	k := &kept{Conn: conn, below: below, set: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		below.Close()
		return nil, errMovedOn
	}
	if c.open == nil {
		c.open = map[*kept]struct{}{}
	}
	c.open[k] = struct{}{}
	return k, nil
}

// closeAll closes all there are. Whoever waits for an answer there gets an error.
func (c *conns) closeAll() {
	c.mu.Lock()
	open := c.open
	c.open = nil
	c.turn++
	c.mu.Unlock()
	for k := range open {
		k.closed.Store(true)
		k.below.Close()
	}
}

func (k *kept) Close() error {
	k.set.mu.Lock()
	delete(k.set.open, k)
	k.set.mu.Unlock()
	return k.Conn.Close()
}

// SyscallConn is how go-redis looks whether an idle connection was closed. Under TLS it could not tell what it sees,
// so that only our own close is told.
func (k *kept) SyscallConn() (syscall.RawConn, error) {
	if k.closed.Load() {
		return nil, net.ErrClosed
	}
	if c, ok := k.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return opaque{}, nil
}

// opaque is a connection into which nobody can look.
type opaque struct{}

func (opaque) Control(func(uintptr)) error    { return nil }
func (opaque) Read(func(uintptr) bool) error  { return nil }
func (opaque) Write(func(uintptr) bool) error { return nil }
