//go:build linux

package floor

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/nowait"
)

// A client is a connection, before and after its upgrade.
type client struct {
	request []byte // as much of it as has come; nil once upgraded
	room    *room  // nil before
}

// accept takes all connections that wait.
func (s *server) accept() error {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), s.watch(fd)); err != nil {
			return err
		}
		s.clients = append(s.clients, make([]*client, max(0, fd+1-len(s.clients)))...)
		s.clients[fd] = &client{}
	}
}

// hear reads what a client sends: its request, and then pongs, which tell the floor nothing.
func (s *server) hear(fd int) error {
	n, err := nowait.Recv(int32(fd), s.heard[:])
	if errors.Is(err, nowait.ErrWouldBlock) {
		return nil
	}
	c := s.clients[fd]
	if c == nil {
		return nil // ended by an event before this one
	}
	if n <= 0 || len(c.request)+n > len(s.heard) {
		s.end(fd)
		return nil
	}
	if c.room != nil {
		return nil
	}
	c.request = append(c.request, s.heard[:n]...)
	if !bytes.HasSuffix(c.request, []byte("\r\n\r\n")) {
		return nil
	}
	return s.upgrade(fd, c)
}

// upgrade lets a client into the room that its request names.
func (s *server) upgrade(fd int, c *client) error {
	name := between(c.request, "room=", " &")
	r := s.rooms[string(name)]
	if r == nil {
		r = &room{}
		s.rooms[string(name)] = r
		if err := s.redis.subscribe(name); err != nil {
			return err
		}
	}
	sum := sha1.Sum(append(between(c.request, "Sec-WebSocket-Key: ", "\r"), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
	c.request, c.room = nil, r
	r.members = append(r.members, int32(fd))
	s.send(int32(fd), []byte(answer))
	return nil
}

// end closes a client's connection.
func (s *server) end(fd int) {
	if r := s.clients[fd].room; r != nil {
		i := slices.Index(r.members, int32(fd))
		r.members[i] = r.members[len(r.members)-1]
		r.members = r.members[:len(r.members)-1]
	}
	s.clients[fd] = nil
	_ = unix.Close(fd)
}

// between returns a copy of what stands in b after the first begin, up to one of the bytes of end.
func between(b []byte, begin, end string) []byte {
	_, after, _ := bytes.Cut(b, []byte(begin))
	if i := bytes.IndexAny(after, end); i >= 0 {
		after = after[:i]
	}
	return bytes.Clone(after)
}
