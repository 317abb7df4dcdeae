package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/roomgate/roomgate/internal/load"
	"github.com/roomgate/roomgate/internal/redistest"
)

// benchResult is what a test looks at in a report.
type benchResult struct {
	Interrupted bool
	Result      struct {
		Connections, Rooms                               int
		Published, Expected, Delivered, Lost, Duplicated int64
		Closed                                           int64
		ClosedBy                                         map[string]int64   `json:"closed_by"`
		Latency                                          map[string]float64 `json:"latency_ms"`
	}
}

func parseBench(t *testing.T, stdout string) (r benchResult) {
	t.Helper()
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("stdout %q is not one JSON object: %v", stdout, err)
	}
	return r
}

func TestBenchCountsWhatAGatewayDelivers(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	environ := []string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redis.URL()}
	for _, format := range []string{"v1", "raw"} {
		code, stdout, stderr := command(t, environ, "bench", "--url", r.url, "--connections", "20", "--rooms", "4", "--rate", "100", "--duration", "200ms",
			"--warm", "50ms", "--format", format, "--json")
		if code != 0 {
			t.Fatalf("%s: exit code %d, stderr %s", format, code, stderr)
		}
		got := parseBench(t, stdout)
		if n := got.Result; n.Connections != 20 || n.Rooms != 4 || n.Published != 20 || n.Expected != 100 || n.Delivered != 100 || n.Lost != 0 ||
			n.Duplicated != 0 || n.Closed != 0 || n.Latency["max"] <= 0 || got.Interrupted {
			t.Errorf("%s: got %+v, want 100 deliveries and nothing lost", format, got)
		}
	}
}

func TestBenchTellsPeopleWhatItCounted(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_AUTH_TOKEN_FROM=subprotocol")
	token := newToken(t, "u1", "load-*")
	environ := []string{"ROOMGATE_TOKEN=" + token, "REDIS_URL=" + redis.URL(), "ROOMGATE_AUTH_TOKEN_FROM=subprotocol"}
	code, stdout, stderr := command(t, environ, "bench", "--url", r.url, "--connections", "1200", "--room-prefix", "load-", "--rate", "20",
		"--duration", "200ms", "--warm", "0s")
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	wantIn(t, stdout, "connections   1,200 in 1 room, ready after ", "published     4 messages of 128 B, ", "delivered     4,800 of 4,800, ",
		"lost          0\n", "closed        0\n", "latency       p50 ", "own CPU")
	if strings.Contains(stdout+stderr, token) {
		t.Error("it shows the token")
	}
}

func TestBenchSaysWhatARefusalMeans(t *testing.T) {
	redis := redistest.Start(t)
	open, strict := serve(t, redis.URL()), serve(t, redis.URL(), "ROOMGATE_AUTH_REJECT=status", "ROOMGATE_LIMITS_CONNECTIONS_PER_ADDRESS=2")
	another := "ROOMGATE_TOKEN=" + newToken(t, "u1", "another")
	for name, c := range map[string]struct {
		url, environ string
		args, want   []string
	}{
		"room":            {open.url, another, nil, []string{"closed with 4003", "roomgate token --room 'bench-*'"}},
		"room, raw":       {open.url, another, []string{"--format", "raw"}, []string{"4003", "roomgate token --room 'bench-*'"}},
		"token":           {open.url, "ROOMGATE_TOKEN=a.b.c", nil, []string{"closed with 4002", "signed with the gateway's secret"}},
		"token by status": {strict.url, "ROOMGATE_TOKEN=a.b.c", []string{"--connections", "1"}, []string{"refused with HTTP 401", "signed with the gateway's secret"}},
		"address":         {strict.url, "JWT_SECRET=" + testSecret, nil, []string{"refused with HTTP 429", "--connect-rate"}},
		"path": {strings.TrimSuffix(open.url, "ws") + "elsewhere", "JWT_SECRET=" + testSecret, nil,
			[]string{"refused with HTTP 404", "http.path"}},
	} {
		args := append([]string{"bench", "--url", c.url, "--connections", "3", "--duration", "100ms"}, c.args...)
		code, stdout, stderr := command(t, []string{c.environ, "REDIS_URL=" + redis.URL()}, args...)
		if code != 1 || stdout != "" {
			t.Errorf("%s: exit code %d, stdout %q; want 1 and nothing", name, code, stdout)
		}
		wantIn(t, stderr, c.want...)
	}
}

func TestBenchFailsIfAnythingWasLost(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	environ := []string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redis.URL(), "ROOMGATE_REDIS_CHANNEL_PREFIX=elsewhere:"}
	code, stdout, stderr := command(t, environ, "bench", "--url", r.url, "--connections", "2", "--rate", "10", "--duration", "100ms", "--warm", "0s", "--json")
	if n := parseBench(t, stdout).Result; code != 1 || n.Lost != 2 || n.Delivered != 0 {
		t.Errorf("exit code %d, %d lost, %d delivered; want 1, 2, 0", code, n.Lost, n.Delivered)
	}
	wantIn(t, stderr, "nothing arrived: does the gateway use the Redis of redis.url")
}

func TestBenchFailsIfMuchLessWasPublishedThanAsked(t *testing.T) {
	for _, c := range []struct {
		published   int64 // of 1,000
		interrupted bool
		want        string // in the error; empty: none
	}{{1000, false, ""}, {980, false, ""}, {979, false, "only 979 of 1,000 messages published"}, {10, true, ""}} {
		r := benchReport{Result: &load.Result{Due: 1000, Published: c.published, Delivered: c.published}, Interrupted: c.interrupted, publishes: true}
		err := r.verdict()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d published, interrupted: %v: got %v, want %q", c.published, c.interrupted, err, c.want)
		}
	}
}

func TestBenchThatIsInterruptedReports(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	b := start(t, []string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redis.URL()}, "bench", "--url", r.url, "--connections", "3",
		"--rate", "200", "--duration", "1h", "--warm", "0s", "--json")
	published := redis.Client()
	sub := published.Subscribe(t.Context(), "room:bench-0")
	defer sub.Close()
	if _, err := sub.ReceiveMessage(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.signals <- syscall.SIGINT
	if got, want := b.wait(), 0; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
	got := parseBench(t, b.stdout.String())
	if n := got.Result; !got.Interrupted || n.Published == 0 || n.Delivered != 3*n.Published {
		t.Errorf("got %+v, want an interrupted run in which all arrived", got)
	}
}

func TestBenchCountsConnectionsThatEnd(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	b := start(t, []string{"JWT_SECRET=" + testSecret}, "bench", "--url", r.url, "--connections", "3", "--no-publish", "--duration", "1h", "--warm", "0s")
	await(t, "connections", func() bool {
		_, page := get(t, r.admin+"/metrics")
		return strings.Contains(page, "\nroomgate_connections 3\n")
	})
	r.signals <- syscall.SIGTERM
	r.wait()
	b.signals <- syscall.SIGINT
	if got, want := b.wait(), 1; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
	wantIn(t, b.stdout.String(), "came          0 messages", "closed        3\n  4201        3: the gateway drains", "ended early")
	wantIn(t, b.stderr.String(), "not as it should be: 3 connections closed")
}
