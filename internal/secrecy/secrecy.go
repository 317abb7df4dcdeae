// Package secrecy looks, while a package's tests run, at all that a stranger or an operator could
// read of them: logs, metrics, errors, close reasons, what processes write. It fails the package
// if a token or a secret is in it, and if there was nothing to look at.
//
// A test's log comes from Log, its registry from Registry (a lint rule forbids others), and wstest
// hands on what its clients are told. So a new test is looked at without a word of its own.
//
// In a log it also looks for an attribute that says nothing, as a struct without exported fields does in JSON.
//
// It looks for the shape of tokens and keys, whichever they are, and for each Secret. What it has
// looked at is not kept, unless ROOMGATE_TEST_LOGS names a directory: then it is written there,
// for a grep that does not rest on this code.
package secrecy

import (
	"flag"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A Kind is one of the things to look at.
type Kind int

// The kinds of things.
const (
	Logs   Kind = iota // lines of logs, and of what processes write
	Pages              // pages of metrics
	Errors             // errors, bodies of refusals, close reasons
	kinds
)

func (k Kind) String() string { return [kinds]string{"lines of log", "pages of metrics", "errors"}[k] }

// A Suite is a package's tests, which end with no goroutine left and nothing secret said.
type Suite struct {
	M    *testing.M
	Want []Kind // of which there must be some in a whole run

	// Leaks are goroutines that may be left when the tests are over: those of a dependency that
	// does not end them. nil means none.
	Leaks []goleak.Option
}

// Main is the body of a TestMain.
func Main(m *testing.M, want ...Kind) { os.Exit(Suite{M: m, Want: want}.Run()) }

// Run runs the tests and returns the exit code, as testing.M does.
func (s Suite) Run() int {
	remove, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	code := s.M.Run()
	if err := s.leaks(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if !all.conclude(os.Stdout, os.Getenv(reportVariable), s.wanted()) {
		return 1
	}
	return code
}

// conclude tells what was found here and by the processes that reported to dir: also if one of them did not. It
// reports whether all is well.
func (s *sink) conclude(w io.Writer, dir string, want []Kind) bool {
	err := s.takeReports(dir)
	if err != nil {
		_, _ = fmt.Fprintln(w, err)
	}
	return s.tell(w, want) && err == nil
}

// leaks returns the goroutines that do not end. A client of go-redis whose server is gone has one
// that sleeps for a second before it sees that the client is closed: more than goleak waits.
func (s Suite) leaks() (err error) {
	for range 3 {
		if err = goleak.Find(s.Leaks...); err == nil {
			return nil
		}
	}
	return err
}

// wanted are the kinds of which there must be some: none if only a part of the tests was run.
func (s Suite) wanted() []Kind {
	for _, name := range []string{"run", "skip", "list", "fuzz", "fuzzworker"} {
		if f := flag.Lookup("test." + name); f.Value.String() != f.DefValue {
			return nil
		}
	}
	return s.Want
}

// tell writes the findings, or else, if the tests are verbose, what was looked at. It reports
// whether all is well.
func (s *sink) tell(w io.Writer, want []Kind) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.found == 0
	for _, f := range s.findings {
		_, _ = fmt.Fprintln(w, f)
	}
	if more := s.found - len(s.findings); more > 0 {
		_, _ = fmt.Fprintf(w, "secrecy: and %d more\n", more)
	}
	for _, k := range want {
		if s.looked[k].Load() == 0 {
			_, _ = fmt.Fprintf(w, "secrecy: there were no %v to look at, which proves nothing: take them from internal/secrecy\n", k)
			ok = false
		}
	}
	if ok && testing.Verbose() {
		_, _ = fmt.Fprintf(w, "secrecy: %d lines of log, %d pages of metrics, %d errors looked at: no token, no secret\n",
			s.looked[Logs].Load(), s.looked[Pages].Load(), s.looked[Errors].Load())
	}
	return ok
}
