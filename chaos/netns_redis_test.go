//go:build linux

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// startRedis starts a redis-server in a namespace, which all that reach it may use.
func startRedis(t *testing.T, n *netns, port int, args ...string) {
	t.Helper()
	startIn(t, n, slices.Concat([]string{"redis-server", "--port", fmt.Sprint(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
		"--dir", t.TempDir(), "--loglevel", "warning", "--repl-diskless-sync-delay", "0"}, args))
}

func startSentinel(t *testing.T, n *netns, port int) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	lines := []string{fmt.Sprintf("sentinel monitor mymaster %s 6379 2", islandHost), "sentinel down-after-milliseconds mymaster 1000",
		"sentinel failover-timeout mymaster 5000", "sentinel announce-ip " + mainlandHost}
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startIn(t, n, []string{"redis-server", conf, "--sentinel", "--port", fmt.Sprint(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--dir", t.TempDir(), "--loglevel", "warning"})
}

func startIn(t *testing.T, n *netns, args []string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the process has its own
	startProcess(t, os.Environ(), out, 0, append(n.enter(), args...)...)
}
