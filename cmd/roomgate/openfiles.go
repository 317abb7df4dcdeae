package main

import (
	"fmt"
	"runtime"
)

// reserve is how many descriptors are not for clients: listeners, log, the admin's connections,
// requests that are being refused, and those to Redis, of which go-redis may open ten a CPU.
func reserve() int { return 128 + 10*runtime.GOMAXPROCS(0) }

// connectionLimit returns how many connections a process with openFiles descriptors may hold:
// wanted, or if that is 0 as many as there can be.
func connectionLimit(wanted, openFiles int) (int, error) {
	most := openFiles - reserve()
	switch {
	case most < 1:
		return 0, fmt.Errorf("the limit of open files is %d, and %d are needed besides connections: "+
			"raise it (ulimit -n, LimitNOFILE= in systemd)", openFiles, reserve())
	case wanted > most:
		return 0, fmt.Errorf("limits.connections: %d is more than the limit of open files permits: %d, less %d for other uses: "+
			"raise it to %d (ulimit -n, LimitNOFILE= in systemd), or lower the setting", wanted, openFiles, reserve(), wanted+reserve())
	case wanted == 0:
		return most, nil
	}
	return wanted, nil
}
