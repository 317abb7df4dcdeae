//go:build linux

package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// unshared is set in a run of one test within namespaces of its own.
const unshared = "CHAOS_UNSHARED"

// resultsPipe is the descriptor to which such a run writes its results.
const resultsPipe = 3

// inNamespaces reports whether the test may go on and make network namespaces. It has the test run in a
// process of its own, in a network namespace of its own, so that no other run is in its way and nothing
// is left of it; then there is nothing more to do here. Whoever is not root gets a user namespace, too.
// Where neither can be had the test fails: it does not pass by not being run.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(unshared) != "" {
		return true
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), writesResults), unshared+"=1")
	cmd.ExtraFiles = []*os.File{out} // the first is resultsPipe
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	runtime.LockOSThread() // for the kernel sends Pdeathsig when the thread dies that started the process
	defer runtime.UnlockOSThread()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Start()
	out.Close() // the process has its own
	if err != nil {
		t.Errorf("it needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN, or user namespaces: %v", err)
		return false
	}
	var all collected
	told := json.NewDecoder(in).Decode(&all) // until the process ends
	err = cmd.Wait()
	t.Logf("in namespaces of its own:\n%s", said.String())
	switch {
	case err != nil:
		t.Errorf("in namespaces of its own: %v", err)
	case told != nil || len(all.Rows) != 1:
		t.Errorf("it told %d results, want 1 (error: %v)", len(all.Rows), told)
	}
	for i := range all.Rows {
		report(all.Rows[i], all.Latencies[i])
	}
	return false
}

// writesResults reports whether a variable would have the process write what its parent does.
func writesResults(variable string) bool {
	return strings.HasPrefix(variable, "CHAOS_TABLE=") || strings.HasPrefix(variable, "CHAOS_LATENCY=")
}
