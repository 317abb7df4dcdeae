package main

import (
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// fewFiles is a limit of open files that looks forgotten: connections are what roomgate is for.
const fewFiles = 65536

// advice says, a sentence each, what of the process's surroundings is better changed.
func advice() []string {
	memory := memoryAdvice(os.DirFS("/"), debug.SetMemoryLimit(-1)) // -1 only asks
	files, err := openFileLimit()
	if err != nil {
		return memory // newServer has told it
	}
	return append(filesAdvice(files), memory...)
}

func filesAdvice(files int) []string {
	if files >= fewFiles {
		return nil
	}
	return []string{fmt.Sprintf("the limit of open files is %d, and each connection takes one: raise it to %d or more, by "+
		"LimitNOFILE=%[2]d in systemd, --ulimit nofile=%[2]d for a container, or ulimit -n", files, fewFiles)}
}

// memoryAdvice is about the limit of Go's heap, goal, under that of the container, which root
// tells.
func memoryAdvice(root fs.FS, goal int64) []string {
	limit, ok := memoryLimit(root)
	if !ok || goal != math.MaxInt64 { // what GOMEMLIMIT is if it is not set
		return nil
	}
	const mebi = 1 << 20
	return []string{fmt.Sprintf("the memory of this container is limited to %d MiB, which the garbage collector does not know: "+
		"set GOMEMLIMIT=%dMiB, which leaves a quarter to the kernel's buffers for connections", limit/mebi, limit/mebi*3/4)}
}

// memoryLimit returns the least limit of the cgroups (version 2) that this process is in; false
// if there is none, or no such thing.
func memoryLimit(root fs.FS) (least int64, ok bool) {
	const mount = "sys/fs/cgroup"
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	own := "/"
	for line := range strings.Lines(string(groups)) {
		if name, found := strings.CutPrefix(line, "0::"); found { // the line of version 2
			own = strings.TrimSpace(name)
		}
	}
	for dir := path.Join(mount, own); strings.HasPrefix(dir, mount); dir = path.Dir(dir) {
		text, err := fs.ReadFile(root, path.Join(dir, "memory.max"))
		limit, errNumber := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // or "max"
		if err == nil && errNumber == nil && (!ok || limit < least) {
			least, ok = limit, true
		}
	}
	return least, ok
}

// hintAtProxy tells of a header that only a proxy sends and that is not believed, if it came from
// where one's own proxies are: all of its clients count as one address then. Anybody on the internet
// can send one, and must not be recommended as a proxy to trust.
func (s *server) hintAtProxy(r *http.Request) {
	if r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" {
		return
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	c := s.settings()
	if err != nil || !isNear(remote.Addr()) || trusts(c, remote.Addr()) || c.HTTP.ProxyProtocol { // by which the proxy is not who sent it
		return
	}
	s.hints.log(s.log, slog.LevelWarn, "a request names another client than who sent it, and is not believed: "+
		"if it came from a proxy of yours, list its address in http.trusted_proxies",
		slog.String("event", "proxy_not_trusted"), slog.String("addr", remote.Addr().Unmap().WithZone("").String())) // as the setting spells it
}

// isNear reports whether addr is of this host or of a private network.
func isNear(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()
}
