//go:build linux

// Package floor is a single-threaded reference that has none of the duties of a server between Redis and
// WebSocket clients: it reads what Redis publishes, builds each frame once, and hands it to the kernel once
// for each member of the room. It has no tokens, no queue, no limits and no shutdown, and drops what the kernel
// does not take. What others cost is told as multiples of it. It is no lower bound: who merges messages, or
// sends in another order, can do with less.
package floor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/nowait"
)

// A server has everything of its one thread.
type server struct {
	epoll, listener int
	redis           subscription
	clients         []*client // by descriptor; nil: none
	rooms           map[string]*room
	frame           []byte        // the message that is being sent, built anew for each
	heard           [4 << 10]byte // what one client sent last

	heartbeat time.Duration // between two pings to a client
	pinged    int           // descriptors below it have been pinged in this round
	round     time.Time     // when this round of pings began
}

// A room is its members' descriptors, in no order.
type room struct{ members []int32 }

// Run serves on addr and relays what is published at redis, until something fails that is no client's
// fault. It takes the thread for itself and turns garbage collection off: it makes no garbage once its
// clients are there.
func Run(addr, redis string, heartbeat time.Duration) error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	s := &server{rooms: map[string]*room{}, heartbeat: heartbeat, round: time.Now()}
	var err error
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if s.listener, err = listen(addr); err != nil {
		return fmt.Errorf("listening on %s: %w", addr, err)
	}
	if s.redis.fd, err = connect(redis); err != nil {
		return fmt.Errorf("connecting to Redis at %s: %w", redis, err)
	}
	if err := errors.Join(s.watch(s.listener), s.watch(s.redis.fd)); err != nil {
		return err
	}
	return s.loop()
}

func (s *server) loop() error {
	const beat = 100 * time.Millisecond // between two shares of the pings
	events := make([]unix.EpollEvent, 1024)
	for {
		n, err := wait(s.epoll, events, beat)
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			switch fd := int(e.Fd); fd {
			case s.listener:
				err = s.accept()
			case s.redis.fd:
				err = s.redis.read(s.relay)
			default:
				err = s.hear(fd)
			}
			if err != nil {
				return err
			}
		}
		s.ping()
	}
}

// wait is epoll_wait(2). It is a raw system call, as all that the floor makes often: a call that the Go
// scheduler hears of wakes the runtime's watching thread, which a C program does not have.
func wait(epoll int, events []unix.EpollEvent, timeout time.Duration) (n int, err error) {
	r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(timeout.Milliseconds()), 0, 0)
	switch errno {
	case 0:
		return int(r), nil
	case unix.EINTR:
		return 0, nil
	default:
		return 0, errno
	}
}

// relay sends one frame to each member of a room.
func (s *server) relay(name, payload []byte) {
	r := s.rooms[string(name)]
	if r == nil {
		return
	}
	s.frame = append(appendHeader(s.frame[:0], len(payload)), payload...)
	for i := len(r.members) - 1; i >= 0; i-- { // from the end: send may take the member out
		s.send(r.members[i], s.frame)
	}
}

// send hands a frame to the kernel.
func (s *server) send(fd int32, frame []byte) {
	n, err := nowait.Send(fd, frame)
	if err != nil && (n > 0 || !errors.Is(err, nowait.ErrWouldBlock)) {
		s.end(int(fd)) // half a frame cannot be mended without a queue; a whole one is lost
	}
}

// ping sends the share of this round's pings that is due, to clients in the order of their descriptors.
func (s *server) ping() {
	if s.heartbeat <= 0 {
		return
	}
	passed := time.Since(s.round)
	due := min(int(float64(len(s.clients))*float64(passed)/float64(s.heartbeat)), len(s.clients))
	for ; s.pinged < due; s.pinged++ {
		if c := s.clients[s.pinged]; c != nil && c.room != nil {
			s.send(int32(s.pinged), []byte{0x89, 0})
		}
	}
	if passed >= s.heartbeat {
		s.pinged, s.round = 0, time.Now()
	}
}

// appendHeader appends the header of a text frame from a server (RFC 6455 section 5.2).
func appendHeader(b []byte, n int) []byte {
	switch {
	case n <= 125:
		return append(b, 0x81, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 0x81, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(n))
	}
}

func (s *server) watch(fd int) error {
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func listen(addr string) (int, error) {
	sa, err := sockaddr(addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return fd, errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, sa), unix.Listen(fd, 4096))
}

func connect(addr string) (int, error) {
	sa, err := sockaddr(addr)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return fd, unix.Connect(fd, sa)
}

func sockaddr(addr string) (unix.Sockaddr, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, nil
}
