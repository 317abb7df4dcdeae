package gateway

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// rawDescriptor returns the file descriptor of tcp, which stays tcp's own. The Go runtime
// has made it non-blocking.
func rawDescriptor(tcp *net.TCPConn) (fd int32, ok bool) {
	rc, err := tcp.SyscallConn()
	if err != nil {
		return -1, false
	}
	fd = -1
	if err := rc.Control(func(p uintptr) { fd = int32(p) }); err != nil {
		return -1, false
	}
	return fd, fd >= 0
}

// send gives the kernel as much of b as it takes now. It returns errWouldBlock if that is
// not all.
//
// It goes past net.Conn and past the scheduler's system call bookkeeping, which a call that
// never blocks does not need (docs/adr/0003 has the figures).
func (s *socket) send(b []byte) (int, error) {
	if !s.raw || len(b) == 0 {
		return 0, errWouldBlock
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(s.fd), uintptr(unsafe.Pointer(&b[0])),
			uintptr(len(b)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, errWouldBlock
		case errno != 0:
			return 0, errno
		case int(n) < len(b):
			return int(n), errWouldBlock
		default:
			return int(n), nil
		}
	}
}

// recv takes what the kernel has now, at most len(b) bytes: errWouldBlock if nothing,
// io.EOF if the client has ended its side.
func (s *socket) recv(b []byte) (int, error) {
	if !s.raw || len(b) == 0 {
		return 0, errWouldBlock
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&b[0])),
			uintptr(len(b)), syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, errWouldBlock
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}
