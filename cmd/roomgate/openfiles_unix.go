//go:build unix

package main

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// openFileLimit returns how many descriptors this process may have. Go has raised the soft limit
// to the hard one when it started.
func openFileLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("asking for the limit of open files: %w", err)
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}
