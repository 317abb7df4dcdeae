//go:build linux

package floor

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/nowait"
)

// prefix stands before a room's name in its channel.
const prefix = "room:"

// A subscription is the connection to Redis.
type subscription struct {
	fd int
	in []byte // read and not parsed: at most one message that is not whole, and what came with it
}

// subscribe asks for a room's messages. It waits for no confirmation: Redis has the command before the
// client has its upgrade, and so before anybody publishes.
func (s *subscription) subscribe(room []byte) error {
	cmd := fmt.Appendf(nil, "*2\r\n$9\r\nSUBSCRIBE\r\n$%d\r\n%s%s\r\n", len(prefix)+len(room), prefix, room)
	for len(cmd) > 0 {
		n, err := unix.Write(s.fd, cmd)
		if err != nil {
			return fmt.Errorf("writing to Redis: %w", err)
		}
		cmd = cmd[n:]
	}
	return nil
}

// read takes what has come from Redis, and hands on each message that is whole.
func (s *subscription) read(relay func(room, payload []byte)) error {
	const most = 64 << 10
	if cap(s.in)-len(s.in) < most {
		s.in = append(make([]byte, 0, 2*cap(s.in)+most), s.in...)
	}
	n, err := nowait.Recv(int32(s.fd), s.in[len(s.in):len(s.in)+most])
	switch {
	case errors.Is(err, nowait.ErrWouldBlock):
		return nil
	case err != nil:
		return fmt.Errorf("reading from Redis: %w", err)
	}
	s.in = s.in[:len(s.in)+n]
	rest := s.in
	for {
		parts, after, ok := parse(rest)
		if !ok {
			break
		}
		if string(parts[0]) == "message" {
			relay(bytes.TrimPrefix(parts[1], []byte(prefix)), parts[2])
		}
		rest = after
	}
	s.in = s.in[:copy(s.in, rest)]
	return nil
}

// parse takes the first array of three elements off b. False: it has not come whole.
func parse(b []byte) (parts [3][]byte, rest []byte, ok bool) {
	_, b, ok = line(b) // *3
	for i := 0; ok && i < len(parts); i++ {
		var head []byte
		if head, b, ok = line(b); !ok || head[0] == ':' {
			continue // an integer, in the confirmation of a subscription
		}
		n, _ := strconv.Atoi(string(head[1:]))
		if ok = len(b) >= n+2; ok {
			parts[i], b = b[:n], b[n+2:]
		}
	}
	return parts, b, ok
}

func line(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}
