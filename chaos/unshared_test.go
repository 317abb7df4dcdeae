//go:build linux

package chaos

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// unshared is set in a run of one test within a user namespace of its own.
const unshared = "CHAOS_UNSHARED"

// inNamespaces reports whether the test may go on and make network namespaces. Whoever is not root has
// the test run in a process of its own that is, in a user namespace; then there is nothing more to do
// here. Where neither can be had the test fails: it does not pass by not being run.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if mayUnshare() {
		return true
	}
	if os.Getenv(unshared) == "" && os.Geteuid() != 0 {
		cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
		cmd.Env = append(os.Environ(), unshared+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}}
		out, err := cmd.CombinedOutput()
		if _, ran := errors.AsType[*exec.ExitError](err); err == nil || ran {
			t.Logf("in a user namespace:\n%s", out)
			if err != nil {
				t.Errorf("in a user namespace: %v", err)
			}
			return false
		}
	}
	t.Error("it needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN, or user namespaces")
	return false
}
