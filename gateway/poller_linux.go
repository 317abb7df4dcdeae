package gateway

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/nowait"
)

// A poller watches the sockets of parked connections by an epoll set of our own, so that an
// idle connection holds no goroutine and no stack. Each socket is armed for one event, level
// triggered: what arrived before the arming fires at once, and nothing is lost between.
type poller struct {
	fd   int
	file *os.File // the set itself, watched by the Go runtime: waiting holds no thread

	first   sync.Once // starts run when there is something to watch
	running sync.WaitGroup

	mu    sync.Mutex // guards conns
	conns map[int32]*conn
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating an epoll set: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // for os.NewFile to take it as pollable
		return nil, fmt.Errorf("epoll set: %w", err)
	}
	return &poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), conns: make(map[int32]*conn)}, nil
}

// run wakes connections until close.
func (p *poller) run() {
	rc, err := p.file.SyscallConn()
	if err != nil {
		return // closed before it began
	}
	events := make([]unix.EpollEvent, 256)
	for {
		n, failed := 0, error(nil)
		err := rc.Read(func(fd uintptr) bool {
			n, failed = nowait.EpollWait(int(fd), events)
			return n > 0 || failed != nil // none: wait
		})
		if err != nil || failed != nil { // the set is gone
			return
		}
		for _, e := range events[:n] {
			if c := p.lookup(e.Fd); c != nil {
				c.readable()
			}
		}
	}
}

// watch makes c known, once, while its owner has it.
func (p *poller) watch(c *conn) {
	p.mu.Lock()
	p.conns[c.out.sock.fd] = c
	p.mu.Unlock()
	p.first.Do(func() { p.running.Go(p.run) })
}

// arm asks for one call of c.readable, when c's socket can be read or has ended; add: for the
// first time. It reports false if the socket cannot be watched. c is nobody's by now: by the
// time the kernel is asked, or after, it may be running.
func (p *poller) arm(c *conn, add bool) bool {
	fd, op := c.out.sock.fd, unix.EPOLL_CTL_MOD
	if add {
		op = unix.EPOLL_CTL_ADD
	}
	return c.out.use(func() error {
		return nowait.EpollCtl(p.fd, op, fd, &unix.EpollEvent{
			Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: fd})
	}) == nil
}

// lookup returns the connection whose socket is fd. An event of a socket that was closed
// since may wake its descriptor's next owner: that one finds nothing to read and parks again.
func (p *poller) lookup(fd int32) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[fd]
}

// forget ends the watching of c, whose socket is closed: the kernel has taken it out of the set.
func (p *poller) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd := c.out.sock.fd; p.conns[fd] == c {
		delete(p.conns, fd)
	}
}

// close ends run, and waits for it.
func (p *poller) close() error {
	err := p.file.Close()
	p.running.Wait()
	return err
}
