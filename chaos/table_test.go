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
	name      string
	clients   int
	published int
	verdict
	recoveredV1, recovered float64 // seconds from the fault's end; negative: there was no fault to recover from
}

// A result is how long messages took in one case, as written to CHAOS_LATENCY.
type result struct {
	Case  string    `json:"case"`
	Quiet Quantiles `json:"quiet"`
	Fault Quantiles `json:"fault"` // from the fault's beginning until every client had a new message again
}

// results are those of all cases, in the order in which they ended.
var results struct {
	mu        sync.Mutex // guards what follows
	rows      []row
	latencies []result
}

func report(r row, l result) {
	results.mu.Lock()
	defer results.mu.Unlock()
	results.rows = append(results.rows, r)
	results.latencies = append(results.latencies, l)
}

const tableHead = "| case | clients | published | delivered | covered by a gap | covered by a reconnect | **lost in silence** | duplicates | out of order | recovery, v1 (s) | recovery, all (s) |\n" +
	"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"

func (r row) String() string {
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | **%d** | %d | %d | %s | %s |\n", r.name, r.clients, r.published, r.delivered,
		r.byGap, r.byReconnect, r.silent, r.duplicates, r.disorder, seconds(r.recoveredV1), seconds(r.recovered))
}

func seconds(s float64) string {
	if s < 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", s)
}

// writeResults writes the table to w, and the files that CHAOS_TABLE and CHAOS_LATENCY name.
func writeResults(w io.Writer) error {
	results.mu.Lock()
	defer results.mu.Unlock()
	if len(results.rows) == 0 {
		return nil
	}
	var table strings.Builder
	table.WriteString(tableHead)
	for _, r := range results.rows {
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
	b, err := json.MarshalIndent(results.latencies, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
