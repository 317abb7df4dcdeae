package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// A benchReport is what a bench found.
type benchReport struct {
	URL         string        `json:"url"`
	Format      string        `json:"format"`
	Size        int           `json:"size"`        // bytes of a message
	Connect     time.Duration `json:"-"`           // from the first dial until the last client was ready
	Interrupted bool          `json:"interrupted"` // before its time was over
	Result      *load.Result  `json:"result"`

	publishes bool
}

// nothingArrives is what to look at when no message does.
const nothingArrives = "nothing arrived: does the gateway use the Redis of redis.url, with the same redis.channel_prefix?"

func (r *benchReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		type plain benchReport
		return json.NewEncoder(w).Encode(struct {
			*plain
			ConnectMS int64 `json:"connect_ms"`
		}{(*plain)(r), r.Connect.Milliseconds()})
	}
	_, err := io.WriteString(w, r.text())
	return err
}

// text is the report for people.
func (r *benchReport) text() string {
	b, n := new(strings.Builder), r.Result
	line := func(item, format string, args ...any) {
		fmt.Fprintf(b, "%-13s %s\n", item, fmt.Sprintf(format, args...))
	}
	line("connections", "%s in %s, ready after %s (%s/s)", thousands(int64(n.Connections)), plural(int64(n.Rooms), "room"),
		short(r.Connect), thousands(int64(float64(n.Connections)/r.Connect.Seconds())))
	if r.publishes {
		late := ""
		if n.Late > 0 {
			late = "; " + thousands(n.Late) + " were more than " + load.LateAfter.String() + " late, or not published at all: this machine, or Redis, is too busy"
		}
		line("published", "%s of %s B, %s/s%s", plural(n.Published, "message"), thousands(int64(r.Size)), perSecond(n.Published, n.Elapsed), late)
		line("delivered", "%s of %s, %s/s", thousands(n.Delivered), thousands(n.Expected), perSecond(n.Delivered, n.Elapsed))
		line("lost", "%s", thousands(n.Lost))
		line("duplicated", "%s", thousands(n.Duplicated))
		line("out of order", "%s", thousands(n.OutOfOrder))
		if n.Strays > 0 {
			line("strays", "%s, come to clients that are not in the room", thousands(n.Strays))
		}
	} else {
		line("came", "%s, %s/s", plural(n.Delivered, "message"), perSecond(n.Delivered, n.Elapsed))
	}
	line("gaps", "%s", thousands(n.Gaps))
	line("closed", "%s", thousands(n.Closed))
	b.WriteString(closedText(n.ClosedBy))
	if r.publishes && n.Delivered > 0 {
		l := n.Latency
		line("latency", "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", short(l.P50), short(l.P90), short(l.P99), short(l.P999), short(l.Max))
	}
	if n.OwnCPU > 0 && n.Delivered > 0 {
		line("own CPU", "%.2f µs a delivery, of these clients and the publisher", float64(n.OwnCPU)/float64(n.Delivered)/1e3)
	}
	if r.Interrupted {
		line("ended early", "what is above was counted until then")
	}
	return b.String()
}

// benchShare is how much of what was to be published must have been, or the bench was another one than was asked for.
const benchShare = 0.98

// verdict is nil if nothing was lost, duplicated, out of order or closed, and the load was that which was asked for.
func (r *benchReport) verdict() error {
	var wrong []string
	for _, c := range []struct {
		n    int64
		what string
	}{
		{r.Result.Lost, "lost"}, {r.Result.Duplicated, "duplicated"}, {r.Result.OutOfOrder, "out of order"},
		{r.Result.Strays, "in the wrong room"}, {r.Result.Closed, "connections closed"},
	} {
		if c.n > 0 {
			wrong = append(wrong, thousands(c.n)+" "+c.what)
		}
	}
	if n := r.Result; r.publishes && !r.Interrupted && float64(n.Published) < benchShare*float64(n.Due) {
		wrong = append(wrong, fmt.Sprintf("only %s of %s messages published (this machine, or Redis, is too busy: lower --rate)", thousands(n.Published), thousands(n.Due)))
	}
	switch {
	case len(wrong) == 0:
		return nil
	case r.publishes && r.Result.Delivered == 0 && r.Result.Closed == 0:
		return errors.New(nothingArrives)
	}
	return errors.New("not as it should be: " + strings.Join(wrong, ", "))
}

// closedText is one line for each close code, with what it means.
func closedText(by map[string]int64) string {
	b := new(strings.Builder)
	for _, code := range slices.Sorted(maps.Keys(by)) {
		number, _ := strconv.Atoi(code) // it was written by Itoa
		fmt.Fprintf(b, "  %-11s %s: %s\n", code, thousands(by[code]), closeHints[number])
	}
	return b.String()
}

func perSecond(n int64, d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	return thousands(int64(float64(n)/d.Seconds() + .5))
}

func plural(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}
