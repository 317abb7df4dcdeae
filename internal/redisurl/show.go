package redisurl

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// String is u as one would write it, without user and password.
func (u URL) String() string {
	if len(u.Addrs) == 0 {
		return ""
	}
	if u.Mode == Socket {
		s := "unix://" + u.Addrs[0]
		if u.DB != 0 {
			s += "?db=" + strconv.Itoa(u.DB)
		}
		return s
	}
	var s strings.Builder
	s.WriteString("redis")
	if u.TLS {
		s.WriteByte('s')
	}
	switch u.Mode {
	case Sentinel:
		s.WriteString("+sentinel")
	case Cluster:
		s.WriteString("+cluster")
	}
	s.WriteString("://" + strings.Join(u.Addrs, ","))
	if u.Master != "" {
		s.WriteString("/" + u.Master)
	}
	if u.DB != 0 {
		s.WriteString("/" + strconv.Itoa(u.DB))
	}
	return s.String()
}

// Format writes u.String(), whatever the verb: a Stringer alone would let %#v and %d through.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }
