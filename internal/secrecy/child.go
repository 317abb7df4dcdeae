package secrecy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// What a test says to the processes that it starts, and make secrecy to the tests.
const (
	logsVariable   = "ROOMGATE_TEST_LOGS"    // a directory for all that is looked at
	reportVariable = "ROOMGATE_TEST_SECRECY" // a directory for what processes report
)

// A report is what a process has looked at and found.
type report struct {
	Lines    int64
	Findings []string
}

// prepare makes the directory for reports, which remove removes.
func prepare() (remove func(), err error) {
	dir, err := os.MkdirTemp("", "secrecy")
	if err != nil {
		return nil, err
	}
	return func() { _ = os.RemoveAll(dir) }, os.Setenv(reportVariable, dir)
}

// Environ are the variables that a process needs in which Child runs.
func Environ() []string {
	return []string{reportVariable + "=" + os.Getenv(reportVariable), logsVariable + "=" + os.Getenv(logsVariable)}
}

// Child runs a program in a process of its own, for a test whose binary plays that program. It
// looks at what the program writes to stderr, and to stdout unless it is there to print a token,
// and returns its exit code. Without Environ it runs nothing, since nobody would hear of a finding.
func Child(name string, printsToken bool, run func() int) int {
	reports := os.Getenv(reportVariable)
	if reports == "" {
		fmt.Fprintln(os.Stderr, "secrecy: give this process the variables of secrecy.Environ")
		return 3
	}
	_, _ = os.Unsetenv(logsVariable), os.Unsetenv(reportVariable) // of which the program knows nothing
	file, err := os.CreateTemp(reports, name+"-*")                // empty until there is a report
	if err != nil {
		panic(err)
	}
	defer file.Close()

	end := looked(&os.Stderr, name)
	if !printsToken {
		endStderr, endStdout := end, looked(&os.Stdout, name)
		end = func() { endStdout(); endStderr() }
	}
	code := run()
	end()
	if err := json.NewEncoder(file).Encode(report{all.looked[Logs].Load(), all.findings}); err != nil {
		panic(err)
	}
	return code
}

// looked puts a pipe in the place of a stream of this process, and looks at what goes through.
func looked(stream **os.File, name string) (end func()) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	to, look := *stream, &writer{sink: &all, name: name}
	*stream = w
	var copying sync.WaitGroup
	copying.Go(func() { // ends when w is closed
		_, _ = io.Copy(io.MultiWriter(look, to), r)
		_, _ = io.Copy(look, r) // if nobody reads the stream any more
		look.flush()
	})
	return func() {
		_ = w.Close()
		copying.Wait()
		*stream = to
	}
}

// takeReports takes over what processes have reported to dir, and says which have not.
func (s *sink) takeReports(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	var missing error
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			missing = errors.Join(missing, err)
			continue
		}
		var r report
		if err := json.Unmarshal(b, &r); err != nil {
			missing = errors.Join(missing, fmt.Errorf("secrecy: a process, %s, ended without its report: end it by a signal that it handles", filepath.Base(file)))
			continue
		}
		s.looked[Logs].Add(r.Lines)
		for _, finding := range r.Findings {
			s.report(finding)
		}
	}
	return missing
}
