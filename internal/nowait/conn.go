package nowait

import (
	"errors"
	"net"
	"syscall"
)

// A Conn is a TCP connection whose Read the scheduler does not hear of. It waits as others do, by
// the runtime's poller, and keeps deadlines.
type Conn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Reader returns nc as a Conn, or as it is if it is no TCP connection or this system has no such calls.
func Reader(nc net.Conn) net.Conn {
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
