package gateway

import (
	"errors"
	"net"
)

// errWouldBlock is returned by a socket's send and recv where the kernel has no room or no
// data now.
var errWouldBlock = errors.New("would block")

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
		s.fd, s.raw = rawDescriptor(tcp)
	}
	return s
}
