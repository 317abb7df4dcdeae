// Package nowait makes the system calls on sockets that a gateway makes most, in a way that never
// waits and that the Go scheduler does not hear of.
//
// A call by net or syscall tells the scheduler, so that another thread can take over if it waits. A
// call that cannot wait does not need that, and pays twice for it: for the telling (docs/adr/0003),
// and because the first call after a rest wakes the runtime's watching thread, which then looks
// every 20 µs for a millisecond (docs/adr/0019).
package nowait

import "errors"

// ErrWouldBlock is returned where the kernel has no room or no data now.
var ErrWouldBlock = errors.New("would block")
