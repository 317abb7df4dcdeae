package nowait

import (
	"errors"
	"net"
	"syscall"
)

// A Conn is a TCP connection of whose Read and Write the scheduler does not hear. It waits as others do, by
// the runtime's poller, and keeps deadlines.
type Conn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Wrap returns nc as a Conn, or as it is if it is no TCP connection or this system has no such calls.
func Wrap(nc net.Conn) net.Conn {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	if _, ok := Descriptor(tcp); !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc // closed: whoever reads finds out
	}
	return &Conn{tcp, raw}
}

// Read is that of net.Conn.
func (c *Conn) Read(b []byte) (n int, err error) {
	waitErr := c.raw.Read(func(fd uintptr) bool {
		n, err = Recv(int32(fd), b)
		return !errors.Is(err, ErrWouldBlock)
	})
	if waitErr != nil { // the deadline, or closed
		return 0, waitErr
	}
	return n, err
}

// Write is that of net.Conn.
func (c *Conn) Write(b []byte) (n int, err error) {
	waitErr := c.raw.Write(func(fd uintptr) bool {
		var sent int
		sent, err = Send(int32(fd), b[n:])
		n += sent
		return !errors.Is(err, ErrWouldBlock)
	})
	if waitErr != nil { // as in Read
		return n, waitErr
	}
	return n, err
}
