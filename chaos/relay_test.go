//go:build linux

package chaos

import "net"

const copySize = 4 << 10 // bytes of buffer, for each direction of each connection

// relay copies until either side ends. It does not use the kernel's splice, which holds two more
// descriptors for each direction.
func relay(to, from net.Conn, first func([]byte)) {
	buf := make([]byte, copySize)
	for {
		n, err := from.Read(buf)
		if n > 0 && first != nil {
			first(buf[:n])
			first = nil
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
