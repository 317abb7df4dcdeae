package pubsub

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// lines are those of a log in JSON with that message.
func (l *logged) lines(t *testing.T, msg string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["msg"] == msg {
			found = append(found, fields)
		}
	}
	return found
}

func TestTheLogInJSONNamesTheServer(t *testing.T) {
	s := redistest.Start(t)
	var text logged
	o := fast(s)
	o.Log = secrecy.Log(t, slog.NewJSONHandler(&text, nil))
	b, _ := run(t, o)
	ready(t, b)
	if up := text.lines(t, "redis connection up"); len(up) != 1 || up[0]["addr"] != s.Addr() {
		t.Errorf("the lines are %v, want one with addr %s", up, s.Addr())
	}
}

func TestTheLogInJSONNamesTheNodeOfAClusterThatIsDown(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	var text logged
	o := busAt(c)
	o.Log = secrecy.Log(t, slog.NewJSONHandler(&text, nil))
	b, _ := run(t, o)
	ready(t, b)
	left := at(t, b)
	for _, s := range c.Nodes() {
		if s.Addr() != left {
			s.Kill()
		}
	}
	const msg = "redis cluster is down, and no better node can be reached"
	eventually(t, "that the Cluster is down", func() bool { return len(text.lines(t, msg)) > 0 })
	nodes := []any{text.lines(t, msg)[0]["node"], text.lines(t, msg)[0]["addr"]}
	if !slices.Equal(nodes, []any{left, left}) {
		t.Errorf("node and addr are %v, want %s", nodes, left)
	}
}
