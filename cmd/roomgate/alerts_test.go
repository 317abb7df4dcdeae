package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/secrecy"
)

var (
	alertRow = regexp.MustCompile("(?m)^\\| ([^|]+) \\| `((?:[^`|]|\\\\\\|)+)`")
	selector = regexp.MustCompile(`\b((?:roomgate|process)_[a-z_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`^([a-z_]+)(=|!=|=~)"([^"]*)"$`)
	call     = regexp.MustCompile(`\b([a-z_]+) ?\(`)
)

// functions are those of PromQL that the alerts use, and the words that stand before a list of labels.
var functions = []string{"absent", "by", "clamp_max", "count", "histogram_quantile", "increase", "rate", "sum", "time"}

// An alert on a label that is never counted, or that has no series before its first event, is silent.
func TestEveryAlertOfTheOperatorsPageCanFire(t *testing.T) {
	series, alerts := seriesAtStart(t), alertsOfPage(t)
	if len(alerts) < 20 {
		t.Fatalf("docs/operating.md has %d alerts that this test can read, want all of them", len(alerts))
	}
	for name, expression := range alerts {
		if !balanced(expression) {
			t.Errorf("%s: brackets do not match in %s", name, expression)
		}
		for _, f := range call.FindAllStringSubmatch(expression, -1) {
			if !slices.Contains(functions, f[1]) {
				t.Errorf("%s: %q is no function of PromQL that this test knows", name, f[1])
			}
		}
		for _, s := range selector.FindAllStringSubmatch(expression, -1) {
			if s[2] == "" {
				continue // TestOperatorsPageHasEachMetricAndNoOther has the names
			}
			for _, m := range strings.Split(s[2], ",") {
				wantSeries(t, name, s[1], m, series)
			}
		}
	}
}

// wantSeries expects each value that a matcher names to have a series at the start.
func wantSeries(t *testing.T, alert, metric, match string, series map[string]bool) {
	t.Helper()
	parts := matcher.FindStringSubmatch(match)
	if parts == nil {
		t.Errorf("%s: %s{%s} is no matcher that this test can read", alert, metric, match)
		return
	}
	values := []string{parts[3]}
	if parts[2] == "=~" {
		values = strings.Split(parts[3], "|")
	}
	for _, v := range values {
		if !series[metric+" "+parts[1]+" "+v] {
			t.Errorf("%s: %s has no series with %s=%q at the start", alert, metric, parts[1], v)
		}
	}
}

// alertsOfPage are the expressions of the table in docs/operating.md, by name.
func alertsOfPage(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "## Alerts")
	text, _, _ = strings.Cut(text, "## Capacity")
	alerts := map[string]string{}
	for _, row := range alertRow.FindAllStringSubmatch(text, -1) {
		alerts[row[1]] = strings.ReplaceAll(row[2], `\|`, "|")
	}
	if rows := strings.Count(text, "\n| ") - 1; rows != len(alerts) { // less the head
		t.Errorf("docs/operating.md has %d rows of alerts, of which this test can read %d", rows, len(alerts))
	}
	return alerts
}

// seriesAtStart are a new server's series: metric, label and value, with spaces between.
func seriesAtStart(t *testing.T) map[string]bool {
	t.Helper()
	c, err := config.Load(config.Source{Environ: []string{"JWT_SECRET=" + testSecret}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(c, secrecy.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	families, err := s.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				series[f.GetName()+" "+l.GetName()+" "+l.GetValue()] = true
			}
		}
	}
	return series
}

// balanced reports whether each bracket is closed by its like.
func balanced(s string) bool {
	var open []rune
	for _, r := range s {
		if i := strings.IndexRune("([{", r); i >= 0 {
			open = append(open, rune(")]}"[i]))
		} else if strings.ContainsRune(")]}", r) {
			if len(open) == 0 || open[len(open)-1] != r {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0
}

func TestTheReaderOfAlertsSeesBracketsThatDoNotMatch(t *testing.T) {
	for s, want := range map[string]bool{"sum(rate(x[5m]))": true, "sum(rate(x[5m])": false, "x)": false, "(x]": false} {
		if got := balanced(s); got != want {
			t.Errorf("balanced(%q) = %t, want %t", s, got, want)
		}
	}
}
