//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// A gate is roomgate as its own process, built as it is shipped: what it uses of memory and
// CPU is its own.
type gate struct {
	t     testing.TB
	cmd   *exec.Cmd
	log   string // path of what it wrote to stderr
	addr  string // host:port
	admin string // http://…
}

// startGate builds roomgate, starts it and waits until it is ready. The test's end kills it.
func startGate(t testing.TB, redisURL string, environ ...string) *gate {
	t.Helper()
	return startGateWithin(t, 0, redisURL, environ...)
}

// startGateWithin is startGate with a limit of open files; 0: that of the test.
func startGateWithin(t testing.TB, files int, redisURL string, environ ...string) *gate {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "roomgate")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("building roomgate: %v\n%s", err, out)
	}
	g := &gate{t: t, log: filepath.Join(dir, "log")}
	secrecy.File(t, g.log)
	log, err := os.Create(g.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	g.cmd = exec.Command(binary)
	if files > 0 {
		g.cmd = exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$0"`, files), binary)
	}
	g.cmd.Env = append([]string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redisURL, "ROOMGATE_LOG_LEVEL=debug",
		"ROOMGATE_HTTP_ADDR=127.0.0.1:0", "ROOMGATE_ADMIN_ADDR=127.0.0.1:0"}, environ...)
	g.cmd.Stderr = log
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		lookAtMetrics(t, g.admin)
		_ = g.cmd.Process.Kill() // it holds nothing of worth
		_ = g.cmd.Wait()
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			said := g.said()
			t.Logf("the gateway's log ends with\n%s", said[max(0, len(said)-4000):])
		}
	})
	var line struct{ Msg, Addr, Admin string }
	await(t, "the line that it serves", func() bool {
		for l := range strings.Lines(g.said()) {
			if json.Unmarshal([]byte(l), &line) == nil && line.Msg == "serving" {
				return true
			}
		}
		return false
	})
	g.addr, g.admin = line.Addr, "http://"+line.Admin
	await(t, "readiness", func() bool { status, _ := get(t, g.admin+"/readyz"); return status == http.StatusOK })
	return g
}

func (g *gate) url() string { return "ws://" + g.addr + "/ws" }

// said returns its log.
func (g *gate) said() string {
	b, err := os.ReadFile(g.log)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(b)
}

// metric sums up the series of a metric whose labels hold label; empty: all.
func (g *gate) metric(name, label string) (sum int) {
	_, body := get(g.t, g.admin+"/metrics")
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' || !strings.Contains(rest, label) {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' ')+1:]), 64)
		if err != nil {
			g.t.Fatalf("metric %q: %v", line, err)
		}
		sum += int(v)
	}
	return sum
}

// A footprint is what a process uses.
type footprint struct {
	rss, heap, goroutines int // KiB resident, KiB of live objects
}

func (f footprint) String() string {
	return fmt.Sprintf("%.1f MiB resident, %.1f MiB live, %d goroutines", float64(f.rss)/1024, float64(f.heap)/1024, f.goroutines)
}

// collected is the footprint after the garbage of now is gone and its memory is given back.
func (g *gate) collected() footprint {
	for range 2 { // what one run finalizes, the next one frees; sync.Pool is emptied by two
		if status, _ := get(g.t, g.admin+"/debug/pprof/heap?gc=1"); status != http.StatusOK {
			g.t.Fatalf("/debug/pprof/heap?gc=1 is %d", status)
		}
	}
	return footprint{g.memory("VmRSS"), g.metric("go_memstats_heap_alloc_bytes", "") >> 10, g.metric("go_goroutines", "")}
}

// settled is collected, once ok likes it; the last, if it never does.
func (g *gate) settled(patience time.Duration, ok func(footprint) bool) footprint {
	for deadline := time.Now().Add(patience); ; time.Sleep(500 * time.Millisecond) {
		if f := g.collected(); ok(f) || time.Now().After(deadline) {
			return f
		}
	}
}

// memory returns VmRSS, what is resident now, or VmHWM, the most that was since forgetPeak, in KiB.
func (g *gate) memory(what string) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(b, []byte(what+":"))
	kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
	if err != nil {
		g.t.Fatal(err)
	}
	return kib
}

func (g *gate) forgetPeak() {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", g.cmd.Process.Pid), []byte("5"), 0); err != nil {
		g.t.Fatal(err)
	}
}

// cpu is the CPU time that it has used, in user and kernel.
func (g *gate) cpu() time.Duration {
	const schedClock = 2 // CPUCLOCK_SCHED, clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^g.cmd.Process.Pid<<3|schedClock), &t); err != nil {
		g.t.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// wantSound expects the invariants to hold, and neither a panic nor anything secret in the log.
func (g *gate) wantSound(secrets ...string) {
	g.t.Helper()
	if status, body := get(g.t, g.admin+"/debug/check"); status != http.StatusOK {
		g.t.Errorf("/debug/check is %d: %s", status, body)
	}
	log := g.said()
	for _, bad := range append(secrets, "panic", "goroutine ", "eyJ") {
		if i := strings.Index(log, bad); i >= 0 {
			g.t.Errorf("%q is in the gateway's log: …%s…", bad, log[max(0, i-200):min(len(log), i+200)])
		}
	}
}
