package redistest

import (
	"os/exec"
	"syscall"
)

// endWithThread has the kernel kill the process when the thread that starts it is gone, and so when the
// tests are, however they end: a panic or a timeout runs no cleanup.
func endWithThread(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
