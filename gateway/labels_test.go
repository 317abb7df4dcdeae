package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// An increase from nothing to 1 is none to Prometheus: an alert on one would miss the first event.
func TestEverySeriesIsThereBeforeItCounts(t *testing.T) {
	reg := secrecy.Registry(t)
	newWorld(t, func(o *Options) { o.Metrics = reg })
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				got[f.GetName()+" "+l.GetName()] = append(got[f.GetName()+" "+l.GetName()], l.GetValue())
			}
		}
	}
	for series, want := range map[string][]string{
		"roomgate_connections_ended_total reason": declaredEndings(t),
		"roomgate_connects_total result":          append(slices.Clone(allRefusals), "token_invalid", "token_missing", "room_forbidden"),
		"roomgate_auth_failures_total reason":     {"unavailable", "expired", "timeout"},
		"roomgate_client_messages_total type":     {"publish", "rate_limited"},
		"roomgate_control_commands_total result":  {"disconnect", "invalid", "overload"},
		"roomgate_gaps_total reason":              {"redis", "overload"},
		"roomgate_drops_total reason":             {"overload", "slow_consumer", "closing"},
		"roomgate_limits_exceeded_total limit":    {"connects_per_second", "connections", "handshakes"},
		"roomgate_limits_exceeded_total dry_run":  {"true", "false"},
	} {
		for _, label := range want {
			if !slices.Contains(got[series], label) {
				t.Errorf("%s has no %q at the start, only %q", series, label, got[series])
			}
		}
	}
}

// declaredEndings are the labels of all endings in ending.go, whether or not they were listed.
func declaredEndings(t *testing.T) (labels []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "ending.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok && len(lit.Elts) == 3 {
			if label, ok := lit.Elts[1].(*ast.BasicLit); ok && label.Kind == token.STRING {
				s, err := strconv.Unquote(label.Value)
				if err != nil {
					t.Fatal(err)
				}
				labels = append(labels, s)
			}
		}
		return true
	})
	if len(labels) < 20 {
		t.Fatalf("ending.go has %d endings, want all of them", len(labels))
	}
	return labels
}

func TestTheLimitOfConnectionsIsAGauge(t *testing.T) {
	reg := secrecy.Registry(t)
	newWorld(t, func(o *Options) { o.Metrics, o.Connections = reg, 17 })
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "roomgate_connections_limit" {
			if got := f.GetMetric()[0].GetGauge().GetValue(); got != 17 {
				t.Errorf("roomgate_connections_limit is %v, want 17", got)
			}
			return
		}
	}
	t.Error("there is no roomgate_connections_limit")
}
