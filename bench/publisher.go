//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A publisher sends messages to where a server gets them from. Publish collects, Flush writes.
type publisher interface {
	Publish(room string, payload []byte) error
	Flush() error
	Close() error
}

// A wire is a bare connection that is written in bursts, and of which all that comes is thrown away. It
// is not in Go's poller, so that nobody wakes for an answer, and pays for waking.
type wire struct {
	fd  int
	end func() error // why nobody waits any longer; nil: they do
	out []byte
	in  [16 << 10]byte
}

// dialWire connects to addr. The wire waits for nobody once ctx has ended.
func dialWire(ctx context.Context, addr string) (*wire, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("connecting to %s: %w", addr, err)
	}
	return &wire{fd: fd, end: ctx.Err}, nil
}

// pollMost is in ms, between two looks at whether anybody waits.
const pollMost = 100

// Flush writes what was collected.
func (w *wire) Flush() error {
	if err := w.discard(); err != nil {
		return err
	}
	for b := w.out; len(b) > 0; {
		n, err := unix.SendmsgN(w.fd, b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EAGAIN) {
			// Who does not read us may wait for us to read: neither would ever end.
			ready := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN | unix.POLLOUT}}
			if _, err := unix.Poll(ready, pollMost); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
			if err := errors.Join(w.end(), w.discard()); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	w.out = w.out[:0]
	return nil
}

// discard throws away what has come.
func (w *wire) discard() error {
	for {
		n, _, err := unix.Recvfrom(w.fd, w.in[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
	}
}

// Close ends the connection.
func (w *wire) Close() error { return unix.Close(w.fd) }

// A redisPublisher publishes by PUBLISH. Redis is told to answer nothing: what it does not deliver is
// counted as lost at the clients.
type redisPublisher struct {
	*wire
	before, after string // around a room's name in its channel
	envelope      func(b []byte, room string, payload []byte) []byte
	body          []byte
}

// roomPublisher publishes to room:<name>, as roomgate's backends do.
func roomPublisher(ctx context.Context, r *rig) (publisher, error) {
	return newRedisPublisher(ctx, r, "room:", "", func(b []byte, _ string, payload []byte) []byte { return append(b, payload...) })
}

func newRedisPublisher(ctx context.Context, r *rig, before, after string, envelope func(b []byte, room string, payload []byte) []byte) (publisher, error) {
	w, err := dialWire(ctx, r.redis.addr)
	if err != nil {
		return nil, fmt.Errorf("publishing through Redis: %w", err)
	}
	w.out = append(w.out, "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n"...)
	return &redisPublisher{wire: w, before: before, after: after, envelope: envelope}, nil
}

// Publish collects one PUBLISH.
func (p *redisPublisher) Publish(room string, payload []byte) error {
	p.body = p.envelope(p.body[:0], room, payload)
	p.out = fmt.Appendf(p.out, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s%s%s\r\n$%d\r\n",
		len(p.before)+len(room)+len(p.after), p.before, room, p.after, len(p.body))
	p.out = append(append(p.out, p.body...), '\r', '\n')
	return nil
}
