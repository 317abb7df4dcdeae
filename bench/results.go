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

// keep writes results to a file, and the documents again. Those of a part of a measurement are only shown, lest
// they take the place of all.
func keep(write, whole bool, file string, results any) error {
	if !write {
		return nil
	}
	if !whole {
		fmt.Fprintf(os.Stderr, "nothing is written: %s has all that can be measured\n", filepath.Join(resultsFolder, file))
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
	_ = flags.Parse(args) // ExitOnError; there are none
	return render()
}
