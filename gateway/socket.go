package gateway

import (
	"net"

	"github.com/roomgate/roomgate/internal/nowait"
)

// errWouldBlock is returned by a socket's send and recv where the kernel has no room or no
// data now.
var errWouldBlock = nowait.ErrWouldBlock

// A socket is a hijacked connection that can be tried without waiting. Where that cannot be
// done (TLS, a pipe in tests, a system without raw sends) raw is false, and every try
// answers errWouldBlock: callers then wait in a goroutine of theirs. Its user serialises
// send, recv and Close, so that no file descriptor is used after it was closed and given
// to somebody else.
type socket struct {
	net.Conn
	fd  int32
	raw bool
}

// A tcpCarrier is a net.Conn that adds nothing to a TCP connection but knowledge, such as of
// the address that a PROXY header names: bytes may be read and written past it.
type tcpCarrier interface{ TCP() *net.TCPConn }

// newSocket takes over nc.
func newSocket(nc net.Conn) socket {
	if carrier, ok := nc.(tcpCarrier); ok {
		nc = carrier.TCP()
	}
	s := socket{Conn: nc, fd: -1}
	if tcp, ok := nc.(*net.TCPConn); ok {
		s.fd, s.raw = nowait.Descriptor(tcp)
	}
	return s
}

// send gives the kernel as much of b as it takes now: errWouldBlock if that is not all.
func (s *socket) send(b []byte) (int, error) {
	if !s.raw {
		return 0, errWouldBlock
	}
	return nowait.Send(s.fd, b)
}

// recv takes what the kernel has now, at most len(b) bytes: errWouldBlock if nothing, io.EOF if the
// client has ended its side.
func (s *socket) recv(b []byte) (int, error) {
	if !s.raw {
		return 0, errWouldBlock
	}
	return nowait.Recv(s.fd, b)
}
