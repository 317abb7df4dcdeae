//go:build linux

package image

import (
	"crypto/x509"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

const (
	mostBytes = 20_000_000 // of an image's layers, before compression
	authority = 50         // certificates at least: Debian has some 140
)

func TestImageIsBelow20MB(t *testing.T) {
	i := theImage(t)
	t.Logf("%d bytes of layers, %d compressed", i.bytes, i.pulled)
	if i.bytes == 0 || i.bytes >= mostBytes {
		t.Errorf("the layers have %d bytes, want fewer than %d", i.bytes, mostBytes)
	}
	if i.pulled == 0 || i.pulled >= i.bytes {
		t.Errorf("compressed, the layers have %d bytes of %d, want fewer", i.pulled, i.bytes)
	}
}

// So there is no shell, no package manager, and nothing of the build stage.
func TestImageHoldsThreeFilesThatItsUserCannotChange(t *testing.T) {
	i := theImage(t)
	var got []string
	err := filepath.WalkDir(i.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, i.root)
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 0 || owner.Gid != 0 || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s is %v of %d:%d, want root's, whom nobody else can write for", name, info.Mode(), owner.Uid, owner.Gid)
		}
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			t.Errorf("%s is %v: whoever runs it becomes another", name, info.Mode())
		}
		if !entry.IsDir() {
			got = append(got, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/LICENSE", "/etc/ssl/certs/ca-certificates.crt", "/roomgate"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it holds %q, want %q", got, want)
	}
}

func TestImageTrustsTheAuthoritiesOfItsBase(t *testing.T) {
	i := theImage(t)
	const bundle = "/etc/ssl/certs/ca-certificates.crt" // the first place where Go looks
	pem := readFile(t, i.root, bundle)
	if found := strings.Count(string(pem), "-----BEGIN CERTIFICATE-----"); found < authority || !x509.NewCertPool().AppendCertsFromPEM(pem) {
		t.Errorf("%s has %d certificates, want %d or more, and such as can be read", bundle, found, authority)
	}
}

func TestImageSaysWhatItIsAndHowToRunIt(t *testing.T) {
	i := theImage(t)
	s := i.Settings
	if !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(s.User) {
		t.Errorf("its user is %q, want two numbers, and not root", s.User)
	}
	for name, c := range map[string]struct{ got, want any }{
		"entry point":  {s.Entrypoint, []string{"/roomgate"}},
		"arguments":    {len(s.Cmd), 0},
		"volumes":      {len(s.Volumes), 0},
		"ports":        {s.ExposedPorts, map[string]struct{}{"8080/tcp": {}, "9090/tcp": {}}},
		"health check": {s.Healthcheck.Test, []string{"CMD", "/roomgate", "health"}},
		"architecture": {i.Arch, goEnv(t, "GOARCH")},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
	for _, variable := range s.Env {
		if !strings.HasPrefix(variable, "PATH=") {
			t.Errorf("its environment has %q: settings are for whoever runs it", variable)
		}
	}
	for label, want := range map[string]string{
		"title": "roomgate", "source": "https://github.com/roomgate/roomgate", "url": "https://github.com/roomgate/roomgate",
		"licenses": "Apache-2.0", "version": version, "revision": revision,
	} {
		if got := s.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("its label %s is %q, want %q", label, got, want)
		}
	}
	documented := s.Labels["org.opencontainers.image.documentation"]
	page := strings.TrimPrefix(documented, "https://github.com/roomgate/roomgate/blob/main/")
	if _, err := os.Stat(filepath.Join("..", page)); page == documented || err != nil {
		t.Errorf("its label documentation is %q, want a page of this repository: %v", documented, err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(i.root, "roomgate"), "version").Output()
	if want := "roomgate version " + version + " (revision " + revision + ", "; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("roomgate version says %q (%v), want %q", out, err, want)
	}
}

func TestImageIsBuiltForAnotherArchitecture(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	other := "arm64"
	if goEnv(t, "GOARCH") == other {
		other = "amd64"
	}
	wantStatic(t, theImage(t), machines[goEnv(t, "GOARCH")])
	i := build(t, other)
	wantStatic(t, i, machines[other])
	if i.Arch != other || i.bytes >= mostBytes {
		t.Errorf("it says that it is for %s and has %d bytes, want %s and fewer than %d", i.Arch, i.bytes, other, mostBytes)
	}
	t.Logf("%s: %d bytes of layers, %d compressed", other, i.bytes, i.pulled)
}

// wantStatic expects a binary for a machine that needs no other file.
func wantStatic(t testing.TB, i *image, machine elf.Machine) {
	t.Helper()
	binary, err := elf.Open(filepath.Join(i.root, "roomgate"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = binary.Close() }() // it was only read
	if binary.Machine != machine {
		t.Errorf("its binary is for %v, want %v", binary.Machine, machine)
	}
	for _, part := range binary.Progs {
		if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
			t.Errorf("its binary has %v, so it needs a loader and libraries", part.Type)
		}
	}
}
