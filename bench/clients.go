//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// clients are raw sockets in one epoll set. They look at it on a tick instead of waking for
// each message, so that the server's sends are not charged for waking them: a server on
// loopback otherwise pays for its client's wake-ups.
type clients struct {
	epoll int
	fds   []int
	buf   []byte
	bytes int64 // received since the handshakes
}

// dialClients connects n clients, which send request and await its answer. They come from
// several loopback addresses, since one has not enough ports for the largest runs.
func dialClients(addr string, n int, request string) (*clients, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	c := &clients{epoll: epoll, buf: make([]byte, 256<<10)}
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	for i := range n {
		if err := c.dial(to, request, i); err != nil {
			c.close()
			return nil, fmt.Errorf("client %d: %w", i, err)
		}
	}
	return c, nil
}

func (c *clients) dial(to netip.AddrPort, request string, i int) error {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/5000))}
	nc, err := net.DialTCP("tcp", from, net.TCPAddrFromAddrPort(to))
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }() // its duplicate stays
	if _, err := io.WriteString(nc, request); err != nil {
		return err
	}
	if err := nc.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	var answer []byte
	for one := make([]byte, 1); !bytes.HasSuffix(answer, []byte("\r\n\r\n")); answer = append(answer, one[0]) {
		if _, err := nc.Read(one); err != nil {
			return err
		}
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101")) {
		return fmt.Errorf("answer %q", answer)
	}
	f, err := nc.File()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return err
	}
	c.fds = append(c.fds, fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// drain takes all that has arrived.
func (c *clients) drain() error {
	events := make([]unix.EpollEvent, 1024)
	for {
		n, err := unix.EpollWait(c.epoll, events, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n <= 0 {
			return nil
		}
		for _, e := range events[:n] {
			m, err := unix.Read(int(e.Fd), c.buf)
			if m <= 0 {
				return fmt.Errorf("a client lost its connection: %w", errors.Join(err, io.EOF))
			}
			c.bytes += int64(m)
		}
	}
}

func (c *clients) close() {
	for _, fd := range c.fds {
		_ = unix.Close(fd)
	}
	_ = unix.Close(c.epoll)
}
