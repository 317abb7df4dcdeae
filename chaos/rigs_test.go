//go:build linux

package chaos

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// wireOf is a wire on which sent comes, and then the end.
func wireOf(t *testing.T, sent []byte) *wire {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close() })
	go func() { // ends when all is read, or near is closed
		_, _ = far.Write(sent)
		far.Close()
	}()
	return &wire{nc: near, br: bufio.NewReader(near)}
}

func isViolation(err error) bool {
	_, ok := errors.AsType[violation](err)
	return ok
}

// replicaOf is a replica of which there is only a page of metrics, and whether its test has failed.
func replicaOf(t *testing.T, status int, page string) (r *replica, failed *bool) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(s.Close)
	judged := &failing{TB: t}
	return &replica{t: judged, name: "a page", admin: s.URL}, &judged.failed
}

// A failing is a test that may fail.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Errorf(string, ...any) { f.failed = true }
