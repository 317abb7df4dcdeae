package secrecy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	maxFindings = 20       // that are told one by one
	maxLine     = 64 << 10 // bytes: what is longer is looked at in parts
	overlap     = 10 << 10 // bytes that two parts share: more than the longest token
	maxTold     = 1000     // bytes of a line that are shown
)

// all is where the tests of this process look.
var all = sink{dir: os.Getenv(logsVariable)}

// A sink looks at texts and counts what it found.
type sink struct {
	dir    string // where all of it is kept, too; set before use; empty: nowhere
	looked [kinds]atomic.Int64

	mu       sync.Mutex // guards what follows
	needles  []needle   // replaced as a whole, so that a reader may keep it
	found    int
	findings []string // at most maxFindings, masked
	files    [kinds]*os.File
}

// secret is Secret for one sink.
func (s *sink) secret(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.needles, func(n needle) bool { return string(n.text) == secret }) {
		return
	}
	s.needles = append(slices.Clip(s.needles), spellings(secret)...)
	if s.dir != "" {
		s.keepNeedles()
	}
}

// look looks at one line or page of the test called name.
func (s *sink) look(k Kind, name string, text []byte) {
	s.looked[k].Add(1)
	s.search(k, name, text)
}

// search is look for what is already counted.
func (s *sink) search(k Kind, name string, text []byte) {
	s.mu.Lock()
	needles := s.needles
	s.keep(k, text)
	s.mu.Unlock()
	what, masked := find(text, needles)
	if k == Logs && nothing.Match(masked) {
		s.report(fmt.Sprintf("secrecy: %s: an attribute says nothing: it needs a LogValue: %s", name, masked[:min(len(masked), maxTold)]))
	}
	if what == "" {
		return
	}
	i := max(0, min(bytes.Index(masked, []byte(masking))-maxTold/2, len(masked)-maxTold))
	s.report(fmt.Sprintf("secrecy: %s: %s is in the %v: %s", name, what, k, masked[i:min(len(masked), i+maxTold)]))
}

// report takes down what is found.
func (s *sink) report(finding string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found++
	if len(s.findings) < maxFindings {
		s.findings = append(s.findings, finding)
	}
}

// keep writes text to dir, if there is one. Its caller holds mu.
func (s *sink) keep(k Kind, text []byte) {
	if s.dir == "" {
		return
	}
	if s.files[k] == nil {
		name := fmt.Sprintf("%s-%d.%s", filepath.Base(os.Args[0]), os.Getpid(), [kinds]string{"log", "metrics", "errors"}[k])
		f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		s.files[k] = f // open until the process ends
	}
	if _, err := s.files[k].Write(append(bytes.TrimSuffix(text, []byte("\n")), '\n')); err != nil {
		panic(err)
	}
}

// keepNeedles writes what to search for beside what is kept. Its caller holds mu.
func (s *sink) keepNeedles() {
	var b bytes.Buffer
	for _, n := range s.needles {
		b.Write(n.text)
		b.WriteByte('\n')
	}
	name := fmt.Sprintf("%s-%d.secrets", filepath.Base(os.Args[0]), os.Getpid())
	if err := os.WriteFile(filepath.Join(s.dir, name), b.Bytes(), 0o600); err != nil {
		panic(err)
	}
}

// A writer looks at each line that is written to it.
type writer struct {
	sink *sink
	name string // of the test

	mu   sync.Mutex // guards what follows
	rest []byte     // a line that has no end yet; less than maxLine
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		part := min(len(p), maxLine-len(w.rest))
		if end > 0 && end <= part {
			w.rest = append(w.rest, p[:end]...)
			w.sink.look(Logs, w.name, w.rest)
			w.rest, p = w.rest[:0], p[end:]
			continue
		}
		w.rest, p = append(w.rest, p[:part]...), p[part:]
		if len(w.rest) == maxLine {
			w.sink.search(Logs, w.name, w.rest)
			w.rest = append(w.rest[:0], w.rest[maxLine-overlap:]...)
		}
	}
	return n, nil
}

// flush looks at a line that has no end.
func (w *writer) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) > 0 {
		w.sink.look(Logs, w.name, w.rest)
		w.rest = w.rest[:0]
	}
}
