//go:build unix

package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// ownCPU is the CPU time of this process, in user and kernel.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
