package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by -ldflags "-X main.version=v1.2.3 -X main.revision=0f3c…", where the source has no repository
// beside it. Without them they are what Go knows of the module and its repository.
var version, revision string

// A build says what this binary was made of.
type build struct {
	version  string
	revision string // of the source; "unknown" if it was not built in a repository
}

func readBuild() build {
	var known build
	if info, ok := debug.ReadBuildInfo(); ok {
		known.version = info.Main.Version
		modified := ""
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				known.revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = "+modified"
			}
		}
		known.revision += modified
	}
	return build{
		version:  cmp.Or(version, known.version, "devel"),
		revision: cmp.Or(revision, known.revision, "unknown"),
	}
}

func (b build) String() string {
	return fmt.Sprintf("%s (revision %s, %s %s/%s)", b.version, b.revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print which roomgate this is",
		Example: "  roomgate version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s version %v\n", cmd.Root().DisplayName(), readBuild()) // as --version does
			return err
		},
	}
}
