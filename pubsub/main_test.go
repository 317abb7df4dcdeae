package pubsub

import (
	"context"
	"flag"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

func TestMain(m *testing.M) {
	// They wait for Redis and compute little, so more of them than there are CPUs may run at a time.
	_ = flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))) // -parallel is read later
	secrecy.Secret(secret)
	secrecy.Main(m, secrecy.Logs, secrecy.Pages, secrecy.Errors)
}

const prefix = "room:"

// patience is how long a condition may take that should come soon.
const patience = 20 * time.Second

// fast are options with which a silent Redis is found within a second.
func fast(s *redistest.Server) Options {
	return Options{
		URL: s.URL(), CAFile: s.CAFile, ChannelPrefix: prefix, LeaveDelay: 50 * time.Millisecond,
		CanaryInterval: 100 * time.Millisecond, CanaryTimeout: 700 * time.Millisecond, Timeout: 2 * time.Second,
	}
}

// run starts a Broker and a recorder for it, and sees to it that it ends and its books are right.
func run(t testing.TB, o Options) (*Broker, *recorder) {
	t.Helper()
	r := newRecorder()
	return runWith(t, o, r), r
}

func runWith(t testing.TB, o Options, r Receiver) *Broker {
	t.Helper()
	if o.Log == nil {
		o.Log = secrecy.Log(t, slog.NewTextHandler(t.Output(), nil))
	}
	if o.Password != "" {
		secrecy.Secret(o.Password)
	}
	if o.Metrics == nil {
		o.Metrics = secrecy.Registry(t)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, r) }()
	t.Cleanup(func() {
		if err := b.Check(); err != nil {
			t.Errorf("books at the end: %v", err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return b
}

// ready waits until b is.
func ready(t testing.TB, b *Broker) {
	t.Helper()
	eventually(t, "ready", func() bool { return b.Ready() == nil })
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// subscribe fails the test unless Redis confirms room soon. It may be called from any goroutine.
func subscribe(t testing.TB, b *Broker, room string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Subscribe(ctx, room); err != nil {
		t.Errorf("Subscribe(%q): %v", room, err)
	}
}

// count returns a counter's value as it is exposed.
func count(t testing.TB, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Fatalf("no metric %s{%s}", name, label)
	return 0
}

// A recorder remembers what it was given.
type recorder struct {
	mu       sync.Mutex
	messages map[string][]string
	gaps     map[string]int
	control  []string
}

func newRecorder() *recorder {
	return &recorder{messages: map[string][]string{}, gaps: map[string]int{}}
}

func (r *recorder) Deliver(room string, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages[room] = append(r.messages[room], string(payload))
}

func (r *recorder) Gap(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps[room]++
}

func (r *recorder) Control(payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.control = append(r.control, string(payload))
}

func (r *recorder) controls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.control)
}

func (r *recorder) got(room string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages[room]
}

func (r *recorder) gapsByRoom() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.gaps)
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func newTextLog(t testing.TB, w *logged) *slog.Logger {
	return secrecy.Log(t, slog.NewTextHandler(w, nil))
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
