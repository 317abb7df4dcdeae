//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The results, which are committed with what is made of them.
const (
	resultsFolder = "results"
	peersFile     = "peers.json"
	growthFile    = "growth.json"
	giantFile     = "giant.json"
	slowFile      = "slow.json"
	lanesFile     = "lanes.json"
)

// keep writes results to a file, and the documents again. Those of a part of a measurement, or of another one than
// the documents tell of, are only shown, lest they take its place.
func keep(flags *flag.FlagSet, file string, results any) error {
	if flags.Lookup(writeFlag).Value.String() == "false" {
		return nil
	}
	if set := changed(flags); set != "" {
		fmt.Fprintf(os.Stderr, "nothing is written: %s has what the default flags measure, and this was with -%s\n", filepath.Join(resultsFolder, file), set)
		return nil
	}
	b, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(resultsFolder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(resultsFolder, file), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return render()
}

const writeFlag = "write"

// writes adds the flag that keep asks for.
func writes(flags *flag.FlagSet, file string) {
	flags.Bool(writeFlag, true, "write results/"+file+", docs/benchmarks.md and its plots, if all flags have their defaults")
}

// changed names a flag that has not its default; empty: all have.
func changed(flags *flag.FlagSet) (name string) {
	flags.VisitAll(func(f *flag.Flag) {
		if f.Name != writeFlag && f.Value.String() != f.DefValue {
			name = f.Name
		}
	})
	return name
}

// stored returns the results of a file; nil: there are none.
func stored[T any](file string) (*T, error) {
	b, err := os.ReadFile(filepath.Join(resultsFolder, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	results := new(T)
	if err := json.Unmarshal(b, results); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return results, nil
}

func renderVerb(_ context.Context, flags *flag.FlagSet, args []string) error {
	if err := parse(flags, args); err != nil {
		return err
	}
	return render()
}
