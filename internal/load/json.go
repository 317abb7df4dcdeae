package load

import (
	"encoding/json"
	"time"
)

// MarshalJSON writes times in milliseconds.
func (r Result) MarshalJSON() ([]byte, error) {
	type counts Result
	return json.Marshal(struct {
		counts
		Elapsed float64   `json:"elapsed_ms"`
		Latency Quantiles `json:"latency_ms"`
		OwnCPU  float64   `json:"own_cpu_ms"`
	}{counts(r), milliseconds(r.Elapsed), r.Latency, milliseconds(r.OwnCPU)})
}

// MarshalJSON writes milliseconds.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		P50  float64 `json:"p50"`
		P90  float64 `json:"p90"`
		P99  float64 `json:"p99"`
		P999 float64 `json:"p999"`
		Max  float64 `json:"max"`
	}{milliseconds(q.P50), milliseconds(q.P90), milliseconds(q.P99), milliseconds(q.P999), milliseconds(q.Max)})
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}
