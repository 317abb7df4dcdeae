//go:build linux

package chaos

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
)

// A process is a child of the tests. Its test's end kills it, and so does the end of the tests'
// process, however that comes about.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it was waited for
}

// startProcess starts a command line. output gets what it writes; flags are of clone(2), and mostly 0.
func startProcess(t testing.TB, env []string, output *os.File, flags uintptr, args ...string) *process {
	t.Helper()
	return startProcessEndedBy(t, syscall.SIGKILL, env, output, flags, args...)
}

// startProcessEndedBy is startProcess for one that has to end its own children when the tests' process ends.
func startProcessEndedBy(t testing.TB, end syscall.Signal, env []string, output *os.File, flags uintptr, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, output, output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: end, Cloneflags: flags}
	started := make(chan error)
	go func() { // ends with the process
		defer close(p.ended)
		runtime.LockOSThread() // for the kernel sends Pdeathsig when the thread dies that started the process
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // it is killed in the end
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("starting %s: %v", args[0], err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill ends it at once, as a crash does, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

func (p *process) lives() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}
