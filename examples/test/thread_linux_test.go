package test

import (
	"os/exec"
	"syscall"
)

// endWithTests has the kernel ask the process to end when the thread that starts it is gone, and so when the tests are: a
// panic or a timeout runs no cleanup. It asks, since an nginx that is killed leaves its workers.
func endWithTests(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
