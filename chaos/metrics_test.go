//go:build linux

package chaos

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// series are the values of a metric by one of its labels. The test fails if there are none.
func (r *replica) series(name, label string) map[string]int {
	r.t.Helper()
	all := make(map[string]int)
	for labels, v := range r.metricLines(name) {
		_, rest, ok := strings.Cut(labels, label+`="`)
		value, _, closed := strings.Cut(rest, `"`)
		if ok && closed {
			all[value] += int(v)
		}
	}
	if len(all) == 0 {
		r.t.Errorf("/metrics of %s has no %s with %s", r.name, name, label)
	}
	return all
}

// metric sums up the series of a metric whose labels hold label; empty: all. The test fails if there are none.
func (r *replica) metric(name, label string) (sum float64) {
	r.t.Helper()
	found := false
	for labels, v := range r.metricLines(name) {
		if strings.Contains(labels, label) {
			sum, found = sum+v, true
		}
	}
	if !found {
		r.t.Errorf("/metrics of %s has no %s{%s}", r.name, name, label)
	}
	return sum
}

// metricLines are the series of a metric: what stands in braces, or nothing, and the value.
func (r *replica) metricLines(name string) map[string]float64 {
	r.t.Helper()
	status, body := r.get("/metrics")
	if status != http.StatusOK {
		r.t.Errorf("/metrics of %s is %d", r.name, status)
	}
	all := make(map[string]float64)
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		i := strings.LastIndexByte(rest, ' ')
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[i+1:]), 64)
		if err != nil {
			r.t.Errorf("metric %q: %v", line, err)
		}
		all[rest[:i]] = v
	}
	return all
}

// rss is its resident memory, in KiB.
func (r *replica) rss() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest + " none")[0])
	if err != nil {
		r.t.Errorf("VmRSS of %s: %v", r.name, err)
	}
	return kib
}
