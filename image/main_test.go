//go:build linux

package image

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// scratch is a directory for what all tests share.
var scratch string

// secret signs the tests' tokens.
const secret = "a secret of tests, sixty-four bytes long, so that none warns....."

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if _, err := exec.LookPath("buildah"); err != nil {
		fmt.Fprintln(os.Stderr, "The image is built with buildah: apt-get install buildah, or dnf install buildah.")
		return 1
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, `The image is run in a root of its own, which root alone may do: sudo -E env PATH="$PATH" make image-check.`)
		return 1
	}
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()     // what stays is in the system's directory for that
	if err := os.Chmod(dir, 0o755); err != nil { // the image's user has to get to its root
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	scratch = dir
	secrecy.Secret(secret)
	return secrecy.Suite{M: m, Want: []secrecy.Kind{secrecy.Logs}}.Run()
}
