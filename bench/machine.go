//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A machine is where results were measured, and with what.
type machine struct {
	CPU      string    `json:"cpu"`
	Cores    int       `json:"cores"`
	Memory   float64   `json:"memory_gib"`
	Kernel   string    `json:"kernel"`
	Files    uint64    `json:"open_files"` // the limit
	Time     time.Time `json:"time"`
	Revision string    `json:"revision"` // of this repository; with "+" if more was changed than results and documents
	Versions []version `json:"versions"`
}

// A version is that of a program or library.
type version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// thisMachine finds out what it can. What it cannot is empty.
func thisMachine() machine {
	m := machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Time: time.Now().UTC().Truncate(time.Second)}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = float64(info.Totalram) * float64(info.Unit) / (1 << 30)
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		m.Files = files.Cur
	}
	m.Revision = output("git", "rev-parse", "--short", "HEAD")
	if output("git", "status", "--porcelain", "--", ":/", ":(top,exclude)bench/results", ":(top,exclude)docs") != "" {
		m.Revision += "+"
	}
	m.Versions = versions()
	return m
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, model, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return ""
}

func versions() []version {
	v := []version{{"Go", strings.TrimPrefix(runtime.Version(), "go")}}
	if text := output("redis-server", "--version"); text != "" { // Redis server v=7.0.15 sha=…
		_, text, _ = strings.Cut(text, "v=")
		v = append(v, version{"Redis", first(text)})
	}
	for _, name := range []string{"nginx", "libnginx-mod-nchan"} {
		v = append(v, version{name, output("dpkg-query", "-W", "-f", "${Version}", name)})
	}
	v = append(v, version{"Node", strings.TrimPrefix(output("node", "--version"), "v")})
	v = append(v, npmVersions("socket.io", "@socket.io/redis-adapter", "ws", "bufferutil", "ioredis")...)
	for _, module := range []string{"github.com/centrifugal/centrifuge", "github.com/gorilla/websocket", "github.com/coder/websocket", "github.com/redis/go-redis/v9"} {
		v = append(v, version{strings.TrimPrefix(module, "github.com/"), output("go", "list", "-m", "-f", "{{.Version}}", module)})
	}
	return v
}

// npmVersions are those that npm's lock names.
func npmVersions(names ...string) (v []version) {
	var lock struct {
		Packages map[string]struct{ Version string }
	}
	b, err := os.ReadFile(socketIOFolder + "/package-lock.json")
	if err != nil || json.Unmarshal(b, &lock) != nil {
		return nil
	}
	for _, name := range names {
		v = append(v, version{name, lock.Packages["node_modules/"+name].Version})
	}
	return v
}

// output is the first line that a program prints; empty if it fails.
func output(name string, args ...string) string {
	b, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}

func first(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

func (m machine) String() string {
	var v []string
	for _, one := range m.Versions {
		if one.Version != "" {
			v = append(v, one.Name+" "+one.Version)
		}
	}
	return fmt.Sprintf("%s, %d cores, %.0f GiB, %s, %d open files; %s; revision %s; %s",
		m.CPU, m.Cores, m.Memory, m.Kernel, m.Files, strings.Join(v, ", "), m.Revision, m.Time.Format(time.DateOnly))
}
