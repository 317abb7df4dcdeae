package secrecy

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Secret says that none of secrets may be found: as it is, in JSON, hex, or as part of
// something in base64 or base64url. Tokens need not be named. A secret has 8 bytes at least.
func Secret(secrets ...string) {
	for _, s := range secrets {
		all.secret(s)
	}
}

// Log returns a log that is looked at, in JSON and at the level that tells most, and that goes
// to the handlers too, as they like it.
func Log(t testing.TB, handlers ...slog.Handler) *slog.Logger {
	looked := slog.NewJSONHandler(Writer(t), &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(slog.NewMultiHandler(append(handlers, looked)...))
}

// Writer looks at what is written to it, line by line: what a process says. The test's end ends
// the last line.
func Writer(t testing.TB) io.Writer {
	w := &writer{sink: &all, name: t.Name()}
	t.Cleanup(w.flush)
	return w
}

// File looks at a file when the test ends, if there is one then.
func File(t testing.TB, path string) {
	w := Writer(t)
	t.Cleanup(func() {
		f, err := os.Open(path)
		if os.IsNotExist(err) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if _, err := io.Copy(w, f); err != nil {
			t.Error(err)
		}
	})
}

// Registry returns a registry whose metrics are looked at when the test ends.
func Registry(t testing.TB) *prometheus.Registry {
	r := prometheus.NewRegistry()
	t.Cleanup(func() { Metrics(t, r) })
	return r
}

// Metrics looks at metrics as they are now, and as Prometheus is given them.
func Metrics(t testing.TB, g prometheus.Gatherer) { all.metrics(t, g) }

func (s *sink) metrics(t testing.TB, g prometheus.Gatherer) {
	page := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if page.Code != http.StatusOK {
		t.Errorf("gathering the metrics: %s", page.Body)
	}
	s.look(Pages, t.Name(), page.Body.Bytes())
}

// Page looks at a page of metrics that a test has fetched.
func Page(t testing.TB, page string) { all.look(Pages, t.Name(), []byte(page)) }

// Text looks at what somebody was told: the body of a refusal, a close reason.
func Text(t testing.TB, text string) { all.look(Errors, t.Name(), []byte(text)) }

// Error looks at an error, and returns it. nil is not looked at.
func Error(t testing.TB, err error) error {
	if err != nil {
		Text(t, err.Error())
	}
	return err
}
