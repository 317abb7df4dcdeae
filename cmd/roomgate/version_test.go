package main

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestVersionIsTheStamp(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "roomgate")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath",
		"-ldflags=-X main.version=v1.2.3-rc.1 -X main.revision=0123456789abcdef", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	want := "roomgate version v1.2.3-rc.1 (revision 0123456789abcdef, " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")\n"
	for _, arg := range []string{"version", "--version"} {
		got, err := exec.CommandContext(t.Context(), binary, arg).Output()
		if err != nil || string(got) != want {
			t.Errorf("roomgate %s says %q (%v), want %q", arg, got, err, want)
		}
	}
}
