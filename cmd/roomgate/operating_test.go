package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// TestOperatorsPageHasEachMetricAndNoOther compares docs/operating.md with what a server registers.
func TestOperatorsPageHasEachMetricAndNoOther(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile(`\broomgate_[a-z_]+`).FindAllString(string(page), -1) {
		told[regexp.MustCompile(`_bucket$`).ReplaceAllString(m, "")] = true
	}
	there := map[string]bool{ // with TLS, with Sentinels, and with sharded pub/sub only
		"roomgate_tls_certificate_expiry_timestamp_seconds": true, "roomgate_redis_sentinels": true,
		"roomgate_redis_masters": true, "roomgate_redis_masters_proven": true,
	}
	for name := range describedLabels(t) {
		there[name] = true
	}
	for m := range there {
		if !told[m] {
			t.Errorf("%s is not explained", m)
		}
	}
	for m := range told {
		if !there[m] {
			t.Errorf("%s is explained, and is no metric", m)
		}
	}
}

// The table has each metric's labels in braces; those of the build are in words.
func TestOperatorsPageHasTheLabelsOfEachMetric(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "\n## Metrics\n")
	table, _, _ = strings.Cut(table, "\n## ")
	told := map[string]string{}
	for line := range strings.Lines(table) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, m := range regexp.MustCompile("`(roomgate_[a-z_]+)(?:\\{([a-z_,]+)\\})?`").FindAllStringSubmatch(first, -1) {
			told[m[1]] = m[2]
		}
	}
	for name, labels := range describedLabels(t) {
		if told[name] != labels {
			t.Errorf("%s is explained with the labels {%s}, and has {%s}", name, told[name], labels)
		}
	}
}

// describedLabels are the variable labels of what a server registers, by metric.
func describedLabels(t *testing.T) map[string]string {
	t.Helper()
	c, err := config.Load(config.Source{Environ: []string{"JWT_SECRET=" + testSecret}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(c, secrecy.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc)
	go func() { // ends when all are read
		defer close(descriptions)
		s.metrics.Describe(descriptions)
	}()
	labels := map[string]string{}
	described := regexp.MustCompile(`fqName: "(roomgate_[a-z_]+)".* variableLabels: \{([a-z_,]*)\}`)
	for d := range descriptions {
		if m := described.FindStringSubmatch(d.String()); m != nil {
			labels[m[1]] = m[2]
		}
	}
	if len(labels) < 20 {
		t.Fatalf("%d metrics can be read, want all of them", len(labels))
	}
	return labels
}

// Who searches the log for a line of the page must find it.
func TestOperatorsPageQuotesLinesThatAreLogged(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, dir := range []string{".", "../../gateway", "../../pubsub", "../../auth"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	quoted := regexp.MustCompile(`"(?:msg|event|reason)":("[^"…]+")`).FindAllStringSubmatch(string(page), -1)
	if len(quoted) < 30 {
		t.Fatalf("the page quotes %d texts of log lines that this test can read, want all of them", len(quoted))
	}
	for _, q := range quoted {
		if !strings.Contains(code.String(), q[1]) {
			t.Errorf("%s is in no line of the log", q[0])
		}
	}
}
