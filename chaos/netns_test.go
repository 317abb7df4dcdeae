//go:build linux

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
)

// A netns is a network namespace with cables (veth pairs) to the one of the test. Its holder is a
// process: when that ends, the kernel takes the namespace and the cables with it, so that nothing is
// left behind however the tests end.
type netns struct {
	t      testing.TB
	holder *exec.Cmd
}

// A cable joins a namespace with the test's. Either end has an address in a network of its own.
type cable struct {
	t       testing.TB
	name    string // of the test's end
	outside string // address of the test's end
	inside  string // address of the namespace's end
}

// mayUnshare reports whether this process may make network namespaces and cables, as root can.
func mayUnshare() bool {
	cmd := exec.Command("ip", "link", "add", "rgprobe0", "type", "veth", "peer", "name", "rgprobe1")
	if os.Geteuid() != 0 || cmd.Run() != nil {
		return false
	}
	return exec.Command("ip", "link", "del", "rgprobe0").Run() == nil
}

func newNetns(t testing.TB) *netns {
	t.Helper()
	n := &netns{t: t, holder: exec.Command("sleep", "infinity")}
	n.holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	started, ended := make(chan error), make(chan struct{})
	go func() { // ends with the process
		lockThread()
		err := n.holder.Start()
		started <- err
		if err == nil {
			_ = n.holder.Wait() // it is killed
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		t.Fatalf("making a network namespace: %v", err)
	}
	t.Cleanup(func() {
		_ = n.holder.Process.Kill()
		<-ended
	})
	n.run("ip", "link", "set", "lo", "up")
	return n
}

// enter is what stands before a command line that is to run in the namespace. It becomes that
// command: there is no process between.
func (n *netns) enter() []string {
	return []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", n.holder.Process.Pid), "--"}
}

// run runs a command in the namespace.
func (n *netns) run(args ...string) {
	n.t.Helper()
	command(n.t, append(n.enter(), args...)...)
}

func command(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// cables counts them, for names and addresses that no other has.
var cables atomic.Int32

// connect lays a cable into the namespace. Addresses are of 198.18.0.0/15, which RFC 2544 keeps for
// tests of networks.
func (n *netns) connect() *cable {
	n.t.Helper()
	i := int(cables.Add(1))
	network := fmt.Sprintf("198.18.%d.", i)
	c := &cable{t: n.t, name: fmt.Sprintf("rg%d-%d", os.Getpid()%100000, i), outside: network + "1", inside: network + "2"}
	far := fmt.Sprintf("rgin%d", i)
	command(n.t, "ip", "link", "add", c.name, "type", "veth", "peer", "name", far, "netns", fmt.Sprint(n.holder.Process.Pid))
	command(n.t, "ip", "addr", "add", c.outside+"/30", "dev", c.name)
	command(n.t, "ip", "link", "set", c.name, "up")
	n.run("ip", "addr", "add", c.inside+"/30", "dev", far)
	n.run("ip", "link", "set", far, "up")
	return c
}

// cut takes the test's end down: what is sent either way is gone, and nobody is told.
func (c *cable) cut() { command(c.t, "ip", "link", "set", c.name, "down") }

// mend takes it up again.
func (c *cable) mend() { command(c.t, "ip", "link", "set", c.name, "up") }
