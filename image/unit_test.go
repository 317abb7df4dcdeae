//go:build linux

package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
)

const (
	packaged = "../packaging"
	exposure = "15" // tenths of what systemd-analyze may find exposed; a unit without any of it has 96
)

// The unit of the packages, as systemd reads it; its binary is the image's.
func TestUnitIsGoodAndConfined(t *testing.T) {
	i := theImage(t)
	unit := filepath.Join(t.TempDir(), "roomgate.service")
	text := strings.ReplaceAll(string(readFile(t, packaged, "roomgate.service")), "/usr/bin/roomgate", filepath.Join(i.root, "roomgate"))
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", "--man=no", unit}, {"security", "--offline=true", "--no-pager", "--threshold=" + exposure, unit}} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
		if err != nil {
			t.Errorf("systemd-analyze %s: %v (to have it: apt-get install systemd)\n%s", args[0], err, out)
		}
		// It passes over what it does not know, and says so.
		if complaint := regexp.MustCompile(`(?m)^.*roomgate\.service:\d+: .*$`).Find(out); complaint != nil {
			t.Errorf("systemd-analyze %s: %s", args[0], complaint)
		}
	}
}

func TestPackagedSettingsAreTakenAndHoldNoSecret(t *testing.T) {
	i := theImage(t)
	file := filepath.Join(packaged, "roomgate.yaml")
	check := exec.CommandContext(t.Context(), filepath.Join(i.root, "roomgate"), "check", "--config", file)
	check.Env = []string{"JWT_SECRET=" + secret, "REDIS_URL=redis://127.0.0.1:1"} // which is not asked about here
	out, _ := check.Output()
	secrecy.Text(t, string(out))
	if want := "ok    settings    all are good\n"; !strings.HasPrefix(string(out), want) {
		t.Errorf("roomgate check --config %s says\n%swant %q first", file, out, want)
	}
	for line := range strings.Lines(string(readFile(t, packaged, "roomgate.env"))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			t.Errorf("roomgate.env sets %q: a secret that is the same everywhere is none", line)
		}
	}
}

func TestUnitLetsADrainEndByItself(t *testing.T) {
	const slack = 10 * time.Second // of a drain, after delay and period
	settings, unit := string(readFile(t, packaged, "roomgate.yaml")), string(readFile(t, packaged, "roomgate.service"))
	seconds := func(text, pattern string) time.Duration {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("there is no %s", pattern)
		}
		d, err := time.ParseDuration(found[1] + "s")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	drain := seconds(settings, `\n  delay: (\d+)s`) + seconds(settings, `\n  period: (\d+)s`) + slack
	if stop := seconds(unit, `\nTimeoutStopSec=(\d+)`); stop <= drain {
		t.Errorf("systemd kills it after %v, want more than the %v of a drain", stop, drain)
	}
}
