//go:build linux

package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// A row is what came of one case.
type row struct {
	Name      string
	Clients   int
	Published int
	verdict
	RecoveredV1, Recovered float64 // seconds from the fault's end; negative: there was no fault to recover from
}

// A result is how long messages took in one case, as written to CHAOS_LATENCY.
type result struct {
	Case  string    `json:"case"`
	Quiet Quantiles `json:"quiet"`
	Fault Quantiles `json:"fault"` // from the fault's beginning until every client had a new message again
}

// collected are the results of all cases, in the order in which they ended.
type collected struct {
	Rows      []row
	Latencies []result
}

var results struct {
	mu sync.Mutex // guards what follows
	collected
}

func report(r row, l result) {
	results.mu.Lock()
	defer results.mu.Unlock()
	results.Rows = append(results.Rows, r)
	results.Latencies = append(results.Latencies, l)
}

const tableHead = "| case | clients | published | delivered | covered by a gap | covered by a reconnect | **lost in silence** | duplicates | out of order | recovery, v1 (s) | recovery, all (s) |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"

func (r row) String() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | **%d** | %d | %d | %s | %s |\n", r.Name, r.Clients, r.Published, r.Delivered,
		r.ByGap, r.ByReconnect, r.Silent, r.Duplicates, r.Disorder, seconds(r.RecoveredV1), seconds(r.Recovered))
}

func seconds(s float64) string {
	if s < 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", s)
}

// writeResults writes the table to w, and the files that CHAOS_TABLE and CHAOS_LATENCY name; or, in a
// run of one test within namespaces, all to its parent.
func writeResults(w io.Writer) error {
	results.mu.Lock()
	defer results.mu.Unlock()
	if len(results.Rows) == 0 {
		return nil
	}
	if os.Getenv(unshared) != "" {
		return json.NewEncoder(os.NewFile(resultsPipe, "results")).Encode(results.collected)
	}
	var table strings.Builder
	table.WriteString(tableHead)
	for _, r := range results.Rows {
		table.WriteString(r.String())
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", table.String()); err != nil {
		return err
	}
	if path := os.Getenv("CHAOS_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(table.String()), 0o644); err != nil {
			return err
		}
	}
	path := os.Getenv("CHAOS_LATENCY")
	if path == "" {
		return nil
	}
	b, err := json.MarshalIndent(results.Latencies, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
