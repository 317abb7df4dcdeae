//go:build !linux

package redistest

import "os/exec"

// endWithThread does nothing: only Linux can. A server may outlive tests that panic.
func endWithThread(*exec.Cmd) {}
