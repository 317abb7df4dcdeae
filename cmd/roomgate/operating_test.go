package main

import (
	"os"
	"regexp"
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
	name := regexp.MustCompile(`fqName: "(roomgate_[a-z_]+)"`)
	there := map[string]bool{ // with TLS, with Sentinels, and with sharded pub/sub only
		"roomgate_tls_certificate_expiry_timestamp_seconds": true, "roomgate_redis_sentinels": true,
		"roomgate_redis_masters": true, "roomgate_redis_masters_proven": true,
	}
	for d := range descriptions {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			there[m[1]] = true
		}
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
