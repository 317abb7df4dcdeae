//go:build !linux

package gateway

import "net"

// rawDescriptor says that this system's sockets are not tried without waiting.
func rawDescriptor(*net.TCPConn) (fd int32, ok bool) { return -1, false }

// send takes nothing: the flusher of the outbox writes and waits.
func (s *socket) send([]byte) (int, error) { return 0, errWouldBlock }

// recv has nothing: the connection's goroutine reads and waits.
func (s *socket) recv([]byte) (int, error) { return 0, errWouldBlock }
