package chart

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
)

// metrics are those that a gateway has: name, label and value.
type metrics map[string]map[string]map[string]bool

func (m metrics) has(name, label, value string) bool { return m[name][label][value] }

// targetLabels are those that Prometheus gives to all that it scrapes.
var targetLabels = []string{"namespace", "job", "instance"}

// toldMetric is a metric as docs/operating.md writes it, with its labels.
var toldMetric = regexp.MustCompile("`(roomgate_[a-z_]+)(?:\\{([a-z_,]+)\\})?`")

// metrics reads /metrics, and of docs/operating.md those that are there with some settings only (TLS, public keys,
// Sentinels, sharded pub/sub): a test of cmd/roomgate compares that page with the gateway. Their labels have any value.
func (g *gateway) metrics(t *testing.T) metrics {
	t.Helper()
	found := metrics{}
	add := func(name, label, value string) {
		if found[name] == nil {
			found[name] = map[string]map[string]bool{}
		}
		if label != "" && found[name][label] == nil {
			found[name][label] = map[string]bool{}
		}
		if label != "" {
			found[name][label][value] = true
		}
	}
	for _, s := range g.samples(t) {
		add(s.name, "", "")
		for label, value := range s.labels {
			add(s.name, label, value)
		}
	}
	if len(found) < 30 {
		t.Fatalf("/metrics has %d names, want all of roomgate's", len(found))
	}
	_, page, _ := strings.Cut(read(t, "../../docs/operating.md"), "\n## Metrics\n")
	page, _, _ = strings.Cut(page, "\n## ")
	for _, told := range toldMetric.FindAllStringSubmatch(page, -1) {
		if name := told[1]; found[name] == nil && found[name+"_bucket"] == nil {
			add(name, "", "")
			for _, label := range strings.FieldsFunc(told[2], func(r rune) bool { return r == ',' }) {
				add(name, label, "")
			}
		}
	}
	return found
}

// A sample is a line of /metrics.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

func (g *gateway) samples(t *testing.T) (found []sample) {
	t.Helper()
	text, err := g.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "\r", "")
	reader := expfmt.NewTextParser(model.LegacyValidation)
	families, err := reader.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sorted(families) {
		for _, m := range families[name].GetMetric() {
			given := map[string]string{}
			for _, l := range m.GetLabel() {
				given[l.GetName()] = l.GetValue()
			}
			if families[name].GetType() != dto.MetricType_HISTOGRAM {
				found = append(found, sample{name, given, m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()})
				continue
			}
			for _, b := range m.GetHistogram().GetBucket() {
				withLe := map[string]string{"le": model.SampleValue(b.GetUpperBound()).String()}
				for k, v := range given {
					withLe[k] = v
				}
				found = append(found, sample{name + "_bucket", withLe, float64(b.GetCumulativeCount())})
			}
			found = append(found, sample{name + "_count", given, float64(m.GetHistogram().GetSampleCount())}, sample{name + "_sum", given, m.GetHistogram().GetSampleSum()})
		}
	}
	return found
}

var promql = parser.NewParser(parser.Options{})

// check finds each metric, label and value of a query among those that the gateway has. legend is what it is drawn with.
func (m metrics) check(t *testing.T, where, query, legend string) {
	t.Helper()
	expr, err := promql.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	known := slices.Clone(targetLabels) // labels of what the query reads
	var named []string                  // labels that it speaks of beside them
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			if m[n.Name] == nil {
				t.Errorf("%s: the gateway has no metric %s", where, n.Name)
				return nil
			}
			known = append(known, sorted(m[n.Name])...)
			for _, match := range n.LabelMatchers {
				m.checkMatcher(t, where, n.Name, match)
			}
		case *parser.AggregateExpr:
			named = append(named, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				named = append(named, n.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	for _, drawn := range regexp.MustCompile(`\{\{ *([a-z_]+) *\}\}`).FindAllStringSubmatch(legend, -1) {
		named = append(named, drawn[1])
	}
	for _, label := range named {
		if !slices.Contains(known, label) {
			t.Errorf("%s: no metric of %s has a label %s", where, query, label)
		}
	}
}

func (m metrics) checkMatcher(t *testing.T, where, name string, match *labels.Matcher) {
	t.Helper()
	if match.Name == model.MetricNameLabel || slices.Contains(targetLabels, match.Name) {
		return
	}
	values := []string{match.Value}
	if match.Type == labels.MatchRegexp || match.Type == labels.MatchNotRegexp {
		values = strings.Split(match.Value, "|")
	}
	for _, value := range values {
		if !m.has(name, match.Name, value) && !m.has(name, match.Name, "") {
			t.Errorf("%s: %s has no series with %s=%q, but %v", where, name, match.Name, value, sorted(m[name][match.Name]))
		}
	}
}

func checkAlertNames(t *testing.T, r rendering, m metrics) {
	for _, group := range one[*monitoringv1.PrometheusRule](t, r, release).Spec.Groups {
		for _, rule := range group.Rules {
			m.check(t, rule.Alert, rule.Expr.String(), "")
		}
	}
}

func checkDashboardNames(t *testing.T, r rendering, m metrics) {
	var dashboard struct {
		Annotations struct {
			List []struct{ Name, Expr, TitleFormat string }
		}
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	text := one[*corev1.ConfigMap](t, r, release+"-dashboard").Data["roomgate.json"]
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	replaced := []string{"$__rate_interval", "5m"} // as Grafana does
	for _, v := range dashboard.Templating.List {
		replaced = append(replaced, "$"+v.Name, "x")
	}
	grafana := strings.NewReplacer(replaced...)
	for _, v := range dashboard.Templating.List {
		query, ok := v.Query.(map[string]any)
		if !ok {
			continue // the data source
		}
		values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(query["query"].(string))
		if values == nil {
			t.Errorf("variable %s: this test cannot read %s", v.Name, query["query"])
			continue
		}
		m.check(t, "variable "+v.Name, grafana.Replace(values[1]), "{{"+values[2]+"}}")
	}
	for _, a := range dashboard.Annotations.List {
		m.check(t, "annotation "+a.Name, grafana.Replace(a.Expr), a.TitleFormat)
	}
	seen := map[int]bool{}
	for _, p := range dashboard.Panels {
		if seen[p.ID] || len(p.Targets) == 0 {
			t.Errorf("panel %s: its id %d is another's, or it shows nothing", p.Title, p.ID)
		}
		seen[p.ID] = true
		for _, target := range p.Targets {
			if strings.Contains(grafana.Replace(target.Expr), "$") {
				t.Errorf("panel %s: the dashboard has no such variable: %s", p.Title, target.Expr)
			}
			m.check(t, "panel "+p.Title, grafana.Replace(target.Expr), target.LegendFormat)
		}
	}
	if len(seen) < 20 {
		t.Errorf("the dashboard has %d panels that this test can read, want all", len(seen))
	}
}
