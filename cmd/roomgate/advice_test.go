package main

import (
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// machine is a file system with what the kernel tells of cgroups.
func machine(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

func TestMemoryLimitOfAContainerIsToldUnlessGOMEMLIMITIsSet(t *testing.T) {
	const own = "proc/self/cgroup"
	limited := map[string]string{own: "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}
	for name, test := range map[string]struct {
		files map[string]string
		goal  int64
		want  string // empty: no advice
	}{
		"a container":      {limited, math.MaxInt64, "limited to 512 MiB, which the garbage collector does not know: set GOMEMLIMIT=384MiB"},
		"GOMEMLIMIT":       {limited, 400 << 20, ""},
		"no limit":         {map[string]string{own: "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, math.MaxInt64, ""},
		"no cgroup":        {map[string]string{}, math.MaxInt64, ""},
		"version 1":        {map[string]string{own: "4:memory:/docker/x\n"}, math.MaxInt64, ""},
		"a parent's limit": {map[string]string{own: "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "268435456\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, math.MaxInt64, "GOMEMLIMIT=192MiB"},
		"the lesser limit": {map[string]string{own: "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "268435456\n", "sys/fs/cgroup/a/b/memory.max": "134217728\n"}, math.MaxInt64, "limited to 128 MiB"},
	} {
		got := strings.Join(memoryAdvice(machine(test.files), test.goal), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestFewOpenFilesAreToldWithHowToRaiseThem(t *testing.T) {
	if got := strings.Join(filesAdvice(1024), ""); !strings.Contains(got, "open files is 1024") || !strings.Contains(got, "LimitNOFILE=65536") {
		t.Errorf("of 1024 files it says %q", got)
	}
	if got := filesAdvice(fewFiles); got != nil {
		t.Errorf("of %d files it says %q, want nothing", fewFiles, got)
	}
}

func TestProxyThatIsNotTrustedIsToldOnceAMinute(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1")
	for range 3 {
		get(t, r.front+"/", "X-Forwarded-For", "192.0.2.7")
		get(t, r.front+"/ws", "Forwarded", "for=192.0.2.7")
	}
	if got := strings.Count(r.stderr.String(), `"proxy_not_trusted"`); got != 1 {
		t.Errorf("it was told %d times, want once", got)
	}
	wantIn(t, r.stderr.String(), "list its address in http.trusted_proxies", `"addr":"127.0.0.1"`)
	if strings.Contains(r.stderr.String(), "192.0.2.7") {
		t.Error("what a stranger claims to be is in the log")
	}
}

func TestOnlyWhatIsPlausiblyAProxyIsCalledOne(t *testing.T) {
	var log output
	s := &server{log: secrecy.Log(t, slog.NewTextHandler(&log, nil))}
	s.config.Store(new(config.Config))
	for _, remote := range []string{"203.0.113.5:4711", "[2001:db8::1]:4711", "[::ffff:203.0.113.5]:4711", "100.64.0.1:4711"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		s.hintAtProxy(r)
		if log.String() != "" {
			t.Fatalf("of a stranger from %s it says %s", remote, log.String())
		}
	}
	for remote, want := range map[string]string{"10.1.2.3:4711": "10.1.2.3", "[::ffff:192.168.1.1]:4711": "192.168.1.1",
		"[fd00::1]:4711": "fd00::1", "[fe80::1%eth0]:4711": "fe80::1", "127.0.0.1:4711": "127.0.0.1"} {
		s.hints = sampler{}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("Forwarded", "for=192.0.2.7")
		s.hintAtProxy(r)
		if !strings.Contains(log.String(), "addr="+want) {
			t.Errorf("of a proxy at %s it does not tell", remote)
		}
	}
}

func TestProxyThatIsTrustedIsNotTold(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1", "ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.0/8")
	if status, _ := get(t, r.front+"/", "X-Forwarded-For", "192.0.2.7"); status != http.StatusNotFound {
		t.Errorf("got %d, want 404", status)
	}
	if strings.Contains(r.stderr.String(), "proxy_not_trusted") {
		t.Error("a trusted proxy is told of")
	}
}

func TestSamplerCountsWhatItHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sampler
		for i, want := range []bool{true, false, false} {
			if _, got := s.take(time.Now()); got != want {
				t.Errorf("line %d: written %v, want %v", i, got, want)
			}
		}
		time.Sleep(sampleEvery) // synctest's time
		if suppressed, ok := s.take(time.Now()); !ok || suppressed != 2 {
			t.Errorf("a minute later: written %v after %d others, want true after 2", ok, suppressed)
		}
	})
}

func TestOutboxesGetAQuarterOfGoMemoryUnlessTold(t *testing.T) {
	c := &config.Config{}
	if got := outboxTotal(c, 1<<30); got != 256<<20 {
		t.Errorf("with GOMEMLIMIT=1GiB %d bytes, want a quarter", got)
	}
	if got := outboxTotal(c, math.MaxInt64); got != 0 {
		t.Errorf("without GOMEMLIMIT %d bytes, want the gateway's default", got)
	}
	c.Limits.OutboxTotalBytes = 5 << 20
	if got := outboxTotal(c, 1<<30); got != 5<<20 {
		t.Errorf("%d bytes, want those that are set", got)
	}
}
