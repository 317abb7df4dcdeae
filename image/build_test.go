//go:build linux

package image

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// An image is one that was built, and its root.
type image struct {
	root     string // where its files are
	bytes    int    // of its layers, before compression
	pulled   int    // of its layers as a registry has them
	Arch     string `json:"architecture"`
	Settings struct {
		User         string
		Env          []string
		Entrypoint   []string
		Cmd          []string
		Volumes      map[string]struct{}
		ExposedPorts map[string]struct{}
		Labels       map[string]string
		Healthcheck  struct{ Test []string }
	} `json:"config"`
}

const (
	version  = "v1.2.3-rc.1"
	revision = "0123456789abcdef0123456789abcdef01234567"
)

// ours is the image for this machine, built by the first test that asks.
var ours struct {
	once sync.Once
	*image
}

func theImage(t testing.TB) *image {
	t.Helper()
	ours.once.Do(func() { ours.image = build(t, goEnv(t, "GOARCH")) })
	if ours.image == nil {
		t.Fatal("there is no image: another test has said why")
	}
	return ours.image
}

// build builds the Dockerfile for an architecture of Linux.
func build(t testing.TB, arch string) *image {
	t.Helper()
	base := buildBase(t, arch)
	cache, modules := goEnv(t, "GOCACHE"), goEnv(t, "GOMODCACHE")
	buildah(t, "build", "--isolation", "chroot", "--format", "docker", "--pull-never", "--arch", arch, "--build-arg", "TARGETARCH="+arch,
		"--build-arg", "BUILD_IMAGE="+base, "--build-arg", "VERSION="+version, "--build-arg", "REVISION="+revision,
		"--volume", "/usr:/usr:ro", "--volume", "/etc/ssl:/etc/ssl:ro", "--volume", goEnv(t, "GOROOT")+":/go/root:ro",
		"--volume", modules+":/go/pkg/mod", "--volume", cache+":/go/cache",
		"--tag", "roomgate-"+arch, "..")

	i := &image{}
	var raw, compressed struct {
		Layers []struct{ Size int }
		Config struct{ Digest string }
	}
	decode(t, []byte(buildah(t, "inspect", "--type", "image", "--format", "{{.Manifest}}", "roomgate-"+arch)), &raw)
	for _, layer := range raw.Layers {
		i.bytes += layer.Size
	}
	// As a registry would get it.
	pushed := filepath.Join(scratch, "pushed-"+arch)
	buildah(t, "push", "--disable-compression=false", "--format", "v2s2", "roomgate-"+arch, "dir:"+pushed)
	decode(t, readFile(t, pushed, "manifest.json"), &compressed)
	for _, layer := range compressed.Layers {
		i.pulled += layer.Size
	}
	decode(t, readFile(t, pushed, strings.TrimPrefix(compressed.Config.Digest, "sha256:")), i)

	container := strings.TrimSpace(buildah(t, "from", "--pull-never", "--arch", arch, "roomgate-"+arch))
	i.root = strings.TrimSpace(buildah(t, "mount", container))
	return i
}

// buildBase makes what the build stage begins with: the names that a Debian has in its root, for what is
// mounted at /usr. It says that it is of arch, since buildah 1.28 wants that of a base, whatever --platform
// a FROM has; what runs in it is this machine's.
func buildBase(t testing.TB, arch string) string {
	t.Helper()
	name := "localhost/base-" + arch
	dir := filepath.Join(scratch, "base-"+arch)
	files := filepath.Join(dir, "files")
	for _, made := range []string{"usr", "tmp", "go"} {
		if err := os.MkdirAll(filepath.Join(files, made), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(files, link)); err != nil {
			t.Fatal(err)
		}
	}
	recipe := "FROM scratch\nCOPY files/ /\n" +
		"ENV HOME=/root GOTOOLCHAIN=local GOROOT=/go/root GOMODCACHE=/go/pkg/mod GOCACHE=/go/cache PATH=/go/root/bin:/usr/bin:/bin\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
	buildah(t, "build", "--isolation", "chroot", "--arch", arch, "--tag", name, dir)
	return name
}

// buildah runs it on a store of the tests' own, which needs neither overlayfs nor a configuration, and
// returns what it wrote to stdout.
func buildah(t testing.TB, args ...string) string {
	t.Helper()
	store := []string{"--root", filepath.Join(scratch, "store"), "--runroot", filepath.Join(scratch, "run"), "--storage-driver", "vfs"}
	cmd := exec.CommandContext(t.Context(), "buildah", append(store, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("buildah %s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}

// goEnv is a setting of the Go that runs the tests.
func goEnv(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func decode(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("decoding %.200s: %v", text, err)
	}
}
