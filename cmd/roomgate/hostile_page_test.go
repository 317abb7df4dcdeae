package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/config"
)

func readDocument(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// docs/security.md names tests, settings and metrics.
func TestWhatTheSecurityPageNamesExists(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		b, err := os.ReadFile(path)
		source.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	page, settings := readDocument(t, "security.md"), readDocument(t, "configuration.md")
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(source.String(), "func "+name[1]+"(") {
			t.Errorf("there is no %s", name[1])
		}
	}
	for _, name := range regexp.MustCompile("`((?:http|admin|auth|rooms|redis|control|limits|gap|drain|log)\\.[a-z_]+)`").FindAllStringSubmatch(page, -1) {
		twin := strings.TrimSuffix(name[1], "_file")
		if !strings.Contains(settings, "| `"+name[1]+"` |") && !strings.Contains(settings, "| `"+twin+"` |") {
			t.Errorf("there is no setting %s", name[1])
		}
	}
	for _, name := range regexp.MustCompile("`roomgate_([a-z_]+)").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(source.String(), `"`+name[1]+`"`) && !strings.Contains(source.String(), `"roomgate_`+name[1]+`"`) {
			t.Errorf("there is no metric roomgate_%s", name[1])
		}
	}
}

func TestEnvironmentFilesOfTheSecurityPageAreGood(t *testing.T) {
	files := regexp.MustCompile("(?s)```env\n(.*?)```").FindAllStringSubmatch(readDocument(t, "security.md"), -1)
	if len(files) != 2 {
		t.Fatalf("%d environment files, want 2", len(files))
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(testSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		environ := strings.Fields(regexp.MustCompile(`/run/secrets/\w+`).ReplaceAllString(file[1], secret))
		c, err := config.Load(config.Source{Environ: environ})
		if err != nil {
			t.Errorf("%s\n%v", file[1], err)
		} else if warnings := c.Warnings(); len(warnings) > 0 {
			t.Errorf("%s\n%q", file[1], warnings)
		}
	}
}
