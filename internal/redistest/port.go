package redistest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports are chosen below those that the kernel gives to outgoing connections (32768 on Linux, 49152
// elsewhere): one of these could otherwise take the port of a server that was killed, and then
// Restart fails. A node of a Cluster listens on its port + busOffset too.
const (
	lowestPort = 10_000
	ports      = 12_000
	busOffset  = 10_000
	freeTries  = 1000
)

// given are the ports that running tests of this process have: one that was not bound yet, or whose server
// was killed, looks free.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// FreePort returns a loopback port on which nobody listens now. The test has it until it ends.
func FreePort(t testing.TB) string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	for range freeTries {
		port := lowestPort + rand.IntN(ports)
		if !given.ports[port] && free(port) && free(port+busOffset) {
			given.ports[port] = true
			t.Cleanup(func() { takeBack(port) })
			return strconv.Itoa(port)
		}
	}
	t.Fatalf("no free port in %d tries", freeTries)
	return ""
}

func takeBack(port int) {
	given.Lock()
	defer given.Unlock()
	delete(given.ports, port)
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
