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

// A netns is a network namespace. Its holder is a process: when that ends, the kernel takes the
// namespace and its cables (veth pairs) with it, so that nothing is left behind however the tests end.
type netns struct {
	t      testing.TB
	holder *process
}

// A cable joins two namespaces. Either end has an address in a network of its own.
type cable struct {
	t       testing.TB
	outside *netns // nil: the test's
	name    string // of the outside end
	out, in string // addresses of the two ends
}

func newNetns(t testing.TB) *netns {
	t.Helper()
	n := &netns{t: t, holder: startProcess(t, os.Environ(), nil, syscall.CLONE_NEWNET, "sleep", "infinity")}
	n.run("ip", "link", "set", "lo", "up")
	return n
}

// enter is what stands before a command line that is to run in the namespace. It becomes that
// command: there is no process between.
func (n *netns) enter() []string {
	return []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", n.holder.cmd.Process.Pid), "--"}
}

// run runs a command in the namespace.
func (n *netns) run(args ...string) {
	n.t.Helper()
	command(n.t, n, args...)
}

// command runs a command in n; nil is the test's namespace.
func command(t testing.TB, n *netns, args ...string) {
	t.Helper()
	if n != nil {
		args = append(n.enter(), args...)
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// cables counts them, for names and addresses that no other has in this process, which has a namespace to itself.
var cables atomic.Int32

// connect lays a cable from outside, nil for the test's namespace, into this one. Addresses are of
// 198.18.0.0/16, which RFC 2544 keeps for tests of networks.
func (n *netns) connect(outside *netns) *cable {
	n.t.Helper()
	i := int(cables.Add(1))
	network := fmt.Sprintf("198.18.%d.", i)
	c := &cable{t: n.t, outside: outside, name: fmt.Sprintf("rg%d", i), out: network + "1", in: network + "2"}
	far := c.name + "i"
	command(n.t, outside, "ip", "link", "add", c.name, "type", "veth", "peer", "name", far)
	command(n.t, outside, "ip", "link", "set", far, "netns", fmt.Sprint(n.holder.cmd.Process.Pid))
	command(n.t, outside, "ip", "addr", "add", c.out+"/30", "dev", c.name)
	command(n.t, outside, "ip", "link", "set", c.name, "up")
	n.run("ip", "addr", "add", c.in+"/30", "dev", far)
	n.run("ip", "link", "set", far, "up")
	return c
}

// cut takes the outside end down: what is sent either way is gone. Inside nobody is told. Outside the
// routes go with it.
func (c *cable) cut() { command(c.t, c.outside, "ip", "link", "set", c.name, "down") }

// mend takes it up again.
func (c *cable) mend() { command(c.t, c.outside, "ip", "link", "set", c.name, "up") }
