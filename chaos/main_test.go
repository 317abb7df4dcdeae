//go:build linux

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// scratch is a directory for what all tests share.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays is in the system's directory for that
	scratch = dir
	zerolog.SetGlobalLevel(zerolog.Disabled) // some of toxiproxy's toxics know no other logger
	if os.Getenv(unshared) != "" {
		syscall.CloseOnExec(resultsPipe) // it is for nobody else
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "setting up loopback: %v %s\n", err, out)
			return 1
		}
	}
	secrecy.Secret(secret)
	code := secrecy.Suite{M: m, Want: []secrecy.Kind{secrecy.Logs, secrecy.Pages, secrecy.Errors}, Leaks: toxicLeaks}.Run()
	if err := writeResults(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// full reports whether the suite runs in its full form.
func full() bool { return os.Getenv("CHAOS_FULL") != "" }

// pick returns short, or long in the full form.
func pick[T any](short, long T) T {
	if full() {
		return long
	}
	return short
}

// parallel lets a case run beside others in the short form: most of its time it waits. In the full
// form cases run alone, so that their recovery is their own.
func parallel(t *testing.T) {
	if !full() {
		t.Parallel()
	}
}

// begun is when the suite began, for its progress lines.
var begun = time.Now()

// progress says what is under way, on stdout if the tests are verbose.
func progress(t testing.TB, format string, args ...any) {
	if testing.Verbose() {
		fmt.Printf("%6.1fs %s: %s\n", time.Since(begun).Seconds(), t.Name(), fmt.Sprintf(format, args...))
	}
}
