package chart

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"helm.sh/helm/v4/pkg/strvals"
)

var update = flag.Bool("update", false, "write the table of alerts into docs/operating.md")

const (
	tableBegins = "<!-- begin alerts: made of charts/roomgate/files/alerts.yaml by `cd charts/test && go test -run OperatorsPage -update .` -->\n"
	tableEnds   = "<!-- end alerts -->"
)

func TestTheOperatorsPageHasTheAlertsOfTheChart(t *testing.T) {
	const file = "../../docs/operating.md"
	page := read(t, file)
	before, rest, begins := strings.Cut(page, tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s lacks %s or %s", file, tableBegins, tableEnds)
	}
	want := before + tableBegins + alertTable(t) + tableEnds + after
	if want == page {
		return
	}
	if !*update {
		t.Fatalf("the table of alerts in %s is not that of alerts.yaml: go test -run OperatorsPage -update .", file)
	}
	if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheAlertsAreAFileThatPrometheusTakesAsItIs(t *testing.T) {
	groups, errs := rulefmt.ParseFile(filepath.Join(chartDir, "files/alerts.yaml"), false, model.LegacyValidation, promql, promslog.NewNopLogger())
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	for _, rule := range groups.Groups[0].Rules {
		if s := rule.Labels["severity"]; s != "page" && s != "ticket" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s has the severity %q, and %v, want page or ticket, a summary and a description", rule.Alert, s, rule.Annotations)
		}
	}
}

func alertTable(t *testing.T) string {
	t.Helper()
	groups, errs := rulefmt.ParseFile(filepath.Join(chartDir, "files/alerts.yaml"), false, model.LegacyValidation, promql, promslog.NewNopLogger())
	if errs != nil {
		t.Fatal(errs)
	}
	var b strings.Builder
	b.WriteString("\n| alert | expression | for | who |\n|---|---|---|---|\n")
	for _, rule := range groups.Groups[0].Rules {
		held := ""
		if rule.For > 0 {
			held = rule.For.String()
		}
		fmt.Fprintf(&b, "| `%s`: %s | `%s` | %s | %s: %s |\n", rule.Alert, rule.Annotations["summary"],
			strings.ReplaceAll(rule.Expr, "|", `\|`), held, rule.Labels["severity"], rule.Annotations["description"])
	}
	b.WriteString("\n")
	return b.String()
}

// The examples of docs/kubernetes.md: its values, of which the first install by themselves and the others beside those,
// and what is set on the command line.
var (
	pageValues = regexp.MustCompile("(?s)```yaml\n(# values.*?)```")
	pageSet    = regexp.MustCompile(`--set (\S+)`)
)

func TestTheExamplesOfThePageInstall(t *testing.T) {
	page := read(t, "../../docs/kubernetes.md")
	examples := pageValues.FindAllStringSubmatch(page, -1)
	if len(examples) < 4 {
		t.Fatalf("docs/kubernetes.md has %d examples of values that this test can read, want all", len(examples))
	}
	for i, example := range examples {
		values := parse(t, example[1])
		if i > 0 {
			values = parse(t, examples[0][1], example[1])
		}
		mustRender(t, values)
	}
	values := map[string]any{}
	for _, set := range pageSet.FindAllStringSubmatch(page, -1) {
		if err := strvals.ParseInto(set[1], values); err != nil {
			t.Errorf("%s: %v", set[0], err)
		}
	}
	mustRender(t, values)
}
