//go:build !linux

package nowait

import "net"

// Descriptor says that this system's sockets are not used past net.
func Descriptor(*net.TCPConn) (fd int32, ok bool) { return -1, false }

// Send takes nothing: the caller writes and waits.
func Send(int32, []byte) (int, error) { return 0, ErrWouldBlock }

// Recv has nothing: the caller reads and waits.
func Recv(int32, []byte) (int, error) { return 0, ErrWouldBlock }
