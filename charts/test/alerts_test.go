package chart

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"sigs.k8s.io/yaml"
)

const (
	scrape = 30 * time.Second // between two samples, and two evaluations
	length = 90               // samples: 45 minutes
)

// checkAlertsFire is what promtool's unit tests do: each case is two replicas that are well, for 45 minutes, but for
// some series. Those are what a gateway has, as it was scraped.
func checkAlertsFire(t *testing.T, r rendering, scraped []sample) {
	file := filepath.Join(t.TempDir(), "rules.yaml")
	text, err := yaml.Marshal(one[*monitoringv1.PrometheusRule](t, r, release).Spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	healthy := wellSeries(t, r, scraped)
	fired := map[string]bool{}
	for _, c := range alertCases {
		t.Run(strings.Join(c.fire, " and ")+c.quiet, func(t *testing.T) {
			series := maps.Clone(healthy)
			for _, line := range c.series {
				lay(t, series, line)
			}
			got := firing(t, file, series)
			if !slices.Equal(got, c.fire) {
				t.Errorf("with %q fire %q, want %q", c.series, got, c.fire)
			}
			for _, name := range got {
				fired[name] = true
			}
		})
	}
	for _, group := range one[*monitoringv1.PrometheusRule](t, r, release).Spec.Groups {
		for _, rule := range group.Rules {
			if !fired[rule.Alert] {
				t.Errorf("no case lets %s fire", rule.Alert)
			}
		}
	}
}

// wellSeries are the series that the alerts read, of two replicas on which nothing happens: name and labels, and values.
func wellSeries(t *testing.T, r rendering, scraped []sample) map[string]string {
	t.Helper()
	text := fmt.Sprint(one[*monitoringv1.PrometheusRule](t, r, release).Spec)
	series := map[string]string{}
	for _, s := range scraped {
		if !strings.Contains(text, s.name) {
			continue
		}
		for _, instance := range []string{"a", "b"} {
			given := maps.Clone(s.labels)
			given["instance"] = instance
			series[seriesName(s.name, given)] = fmt.Sprintf("%sx%d", strconv.FormatFloat(s.value, 'f', -1, 64), length)
		}
	}
	for _, line := range well {
		lay(t, series, line)
	}
	return series
}

// seriesName is a series of this release as PromQL writes it.
func seriesName(name string, given map[string]string) string {
	given["namespace"], given["job"] = namespace, release+"-admin"
	var pairs []string
	for _, k := range sorted(given) {
		pairs = append(pairs, fmt.Sprintf("%s=%q", k, given[k]))
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// caseLine is a series of a case, and its values; or a histogram, all of whose observations have one value: "name ~ 0.5".
var caseLine = regexp.MustCompile(`^([a-z_]+)(\{.*?\})? (~ )?(.*)$`)

// lay puts the series of a case in the place of what is there. They are of the instance a, or of both with
// instance="*". A line "-name" takes all of a metric away.
func lay(t *testing.T, series map[string]string, line string) {
	t.Helper()
	if gone, ok := strings.CutPrefix(line, "-"); ok {
		before := len(series)
		maps.DeleteFunc(series, func(name, _ string) bool { return strings.HasPrefix(name, gone+"{") })
		if len(series) == before {
			t.Errorf("a gateway has no metric %s", gone)
		}
		return
	}
	m := caseLine.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("%q is no line of a case", line)
	}
	if m[3] != "" {
		layHistogram(t, series, m[1], m[4])
		return
	}
	parsed, err := promql.ParseMetric(m[1] + m[2])
	if err != nil {
		t.Fatal(err)
	}
	given := parsed.Map()
	delete(given, model.MetricNameLabel)
	instances := []string{"a"}
	if given["instance"] == "*" {
		instances = []string{"a", "b"}
	}
	for _, instance := range instances {
		given["instance"] = instance
		name := seriesName(m[1], given)
		if series[name] == "" && !onlySometimes.MatchString(m[1]) {
			t.Errorf("a gateway has no series %s", name)
		}
		series[name] = m[4]
	}
}

// onlySometimes are metrics that a gateway has with some settings only.
var onlySometimes = regexp.MustCompile(`^roomgate_(tls|auth_key|redis_masters|redis_sentinels)`)

func layHistogram(t *testing.T, series map[string]string, name, value string) {
	t.Helper()
	observed, err := strconv.ParseFloat(value, 64)
	if err != nil {
		t.Fatal(err)
	}
	buckets := 0
	for s := range series {
		le := regexp.MustCompile(`^` + name + `_bucket\{.*\ble="([^"]+)"`).FindStringSubmatch(s)
		if le == nil {
			continue
		}
		bound, err := strconv.ParseFloat(le[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		series[s] = fmt.Sprintf("0x%d", length)
		if bound >= observed {
			series[s] = fmt.Sprintf("0+100x%d", length)
			buckets++
		}
	}
	if buckets == 0 {
		t.Errorf("a gateway has no bucket of %s for %s", name, value)
	}
}

// firing returns the alerts that fire at any time.
func firing(t *testing.T, file string, series map[string]string) []string {
	t.Helper()
	var loads strings.Builder
	fmt.Fprintf(&loads, "load %s\n", model.Duration(scrape))
	for _, name := range sorted(series) {
		fmt.Fprintf(&loads, "  %s %s\n", name, series[name])
	}
	suite, err := promqltest.NewLazyLoader(loads.String(), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true, Parser: promql})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := suite.Close(); err != nil {
			t.Error(err)
		}
	}()
	suite.SubqueryInterval = scrape
	groups, errs := rules.NewManager(&rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()), AppendableV2: suite.Storage(), Context: t.Context(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {}, Logger: promslog.NewNopLogger(), Parser: promql,
	}).LoadGroups(scrape, labels.EmptyLabels(), "", nil, false, file)
	if errs != nil {
		t.Fatal(errs)
	}
	found := map[string]bool{}
	for now := time.Unix(0, 0).UTC(); now.Before(time.Unix(0, 0).Add(length * scrape)); now = now.Add(scrape) {
		suite.WithSamplesTill(now, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range groups {
				g.Eval(suite.Context(), now)
				for _, rule := range g.Rules() {
					if err := rule.LastError(); err != nil {
						t.Fatalf("%s: %v", rule.Name(), err)
					}
					if a := rule.(*rules.AlertingRule); a.State() == rules.StateFiring {
						found[a.Name()] = true
					}
				}
			}
		})
	}
	return sorted(found)
}

// Two releases in one Prometheus must not hide each other.
func TestEachMetricOfAnAlertIsThatOfTheRelease(t *testing.T) {
	for _, c := range []struct{ values, label, want string }{
		{`{}`, "job", release + "-admin"},
		{`monitoring: {selector: 'app="gate"'}`, "app", "gate"},
	} {
		r := mustRender(t, usual(t, axes["watch"]["operator"], c.values))
		for _, rule := range one[*monitoringv1.PrometheusRule](t, r, release).Spec.Groups[0].Rules {
			expr, err := promql.ParseExpr(rule.Expr.String())
			if err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
				continue
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				s, ok := node.(*parser.VectorSelector)
				if ok && !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
					return m.Type == labels.MatchEqual && m.Name == c.label && m.Value == c.want
				}) {
					t.Errorf("%s: %s is not of this release alone", rule.Alert, s)
				}
				return nil
			})
		}
	}
}
