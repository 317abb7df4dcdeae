package load

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/nowait"
)

const (
	eventsMost = 256       // sockets that one call tells of
	readMost   = 256 << 10 // bytes read from a socket at once
)

// A tickingFleet has bare sockets in one epoll set, at which somebody looks now and then. Each is told of
// once for what has come to it (EPOLLET): else the kernel would look at each a second time, to see
// whether it was read empty.
type tickingFleet struct {
	c     *Clients
	epoll int

	mu  sync.Mutex // guards fds
	fds []int      // by the client's number; -1: none

	// Of the goroutine that looks.
	events [eventsMost]unix.EpollEvent
	buf    []byte
	out    []byte // what a client answers
	again  []int  // who was not read empty, of which the set does not tell again; of each look, for the next
}

func newFleet(c *Clients) (fleet, error) {
	if c.url.Scheme == "wss" {
		return newWaitingFleet(c), nil
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating an epoll set: %w", err)
	}
	f := &tickingFleet{c: c, epoll: epoll, buf: make([]byte, readMost), fds: make([]int, len(c.clients))}
	for i := range f.fds {
		f.fds[i] = -1
	}
	return f, nil
}

// adopt takes over a duplicate of the descriptor, since nc's own is watched by the Go runtime, which
// would wake for whatever comes.
func (f *tickingFleet) adopt(cl *client, nc net.Conn) error {
	defer nc.Close()
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	fd, failed := -1, error(nil)
	err = rc.Control(func(of uintptr) { fd, failed = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("duplicating a socket: %w", err)
	}
	f.c.admit(cl)
	f.mu.Lock()
	f.fds[cl.number] = fd
	f.mu.Unlock()
	err = unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(cl.number)})
	if err != nil {
		return fmt.Errorf("adding a socket to an epoll set: %w", err)
	}
	return nil
}

// look reads each socket that has something, once for each event. What comes meanwhile is for the
// next look: a server that sends faster than this reads must not keep it from all else.
func (f *tickingFleet) look() error {
	left := len(f.again)
	for i := range left {
		f.read(f.again[i], true)
	}
	f.again = append(f.again[:0], f.again[left:]...)
	for rounds := len(f.fds)/eventsMost + 1; rounds > 0; rounds-- {
		n, err := nowait.EpollWait(f.epoll, f.events[:])
		if err != nil {
			return fmt.Errorf("looking at the sockets: %w", err)
		}
		for _, e := range f.events[:n] {
			f.read(int(e.Fd), e.Events&^unix.EPOLLIN != 0)
		}
		if n < eventsMost {
			return nil
		}
	}
	return nil
}

// read takes what has come for one client; more: and then there may be something else, be it the end. Each has its own
// look at the clock: to read from many takes milliseconds.
func (f *tickingFleet) read(number int, more bool) {
	f.mu.Lock()
	fd := f.fds[number]
	f.mu.Unlock()
	if fd < 0 {
		return // it ended in this look
	}
	cl := f.c.clients[number] // written once, before its descriptor
	n, err := nowait.Recv(int32(fd), f.buf)
	switch {
	case errors.Is(err, nowait.ErrWouldBlock):
		return
	case err != nil:
		f.c.lose(cl, err)
		f.drop(number)
		return
	}
	if more || n == len(f.buf) {
		f.again = append(f.again, number)
	}
	f.out, err = f.c.take(cl, f.buf[:n], f.c.clock(), f.out[:0])
	if len(f.out) > 0 {
		// A socket that does not take a pong at once has a server that reads nothing.
		if n, failed := nowait.Send(int32(fd), f.out); n < len(f.out) && err == nil {
			err = errors.Join(errors.New("answering"), failed)
			f.c.lose(cl, err)
		}
	}
	if err != nil {
		f.drop(number)
	}
}

// drop closes a client's socket, which also takes it out of the set.
func (f *tickingFleet) drop(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fds[number] >= 0 {
		_ = unix.Close(f.fds[number]) // nothing more is to come of it
		f.fds[number] = -1
	}
}

func (f *tickingFleet) close() {
	for i, fd := range f.fds { // nobody looks or adopts any more
		if fd >= 0 {
			_, _ = unix.Write(fd, goodbye) // out of courtesy
		}
		f.drop(i)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoll >= 0 {
		_ = unix.Close(f.epoll)
		f.epoll = -1
	}
}
