package nowait

import (
	"io"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Descriptor returns the file descriptor of tcp, which stays tcp's own: whoever uses it must see to it
// that tcp is not closed meanwhile. The Go runtime has made it non-blocking.
func Descriptor(tcp *net.TCPConn) (fd int32, ok bool) {
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

// Send gives the kernel as much of b as it takes now. It returns ErrWouldBlock if that is not all.
// fd is a connected socket that nobody closes meanwhile.
func Send(fd int32, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])),
			uintptr(len(b)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case errno != 0:
			return 0, errno
		case int(n) < len(b):
			return int(n), ErrWouldBlock
		default:
			return int(n), nil
		}
	}
}

// Recv takes what the kernel has now, at most len(b) bytes: ErrWouldBlock if nothing, io.EOF if the
// other side has ended. fd is as for Send.
func Recv(fd int32, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])),
			uintptr(len(b)), syscall.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

// EpollWait is epoll_wait(2) with a timeout of 0: it returns how many events there are now.
func EpollWait(epoll int, events []unix.EpollEvent) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, errno
		default:
			return int(n), nil
		}
	}
}

// EpollCtl is epoll_ctl(2).
func EpollCtl(epoll, op int, fd int32, event *unix.EpollEvent) error {
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(event)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
