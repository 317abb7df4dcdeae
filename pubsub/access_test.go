package pubsub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// writeFile writes a file as those who rotate secrets do: whole.
func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func killGate(t *testing.T, c *redis.Client) {
	t.Helper()
	if err := c.ClientKillByFilter(t.Context(), "USER", "gate").Err(); err != nil {
		t.Fatal(err)
	}
}

func TestAPasswordThatIsRotatedInItsFileNeedsNoRestart(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	const next = "n3xt/p@ss"
	secrecy.Secret(next)
	path := filepath.Join(t.TempDir(), "password")
	writeFile(t, path, secret+"\n")
	o := fast(s)
	o.Username, o.Password, o.PasswordFile = "gate", "", path
	o.CanaryTimeout = 3 * time.Second // long enough for a busy machine, short enough to wait for
	var text logged
	reg := secrecy.Registry(t)
	o.Metrics, o.Log = reg, newTextLog(t, &text)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	publishSoon(t, b, r, "a", "before")

	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "resetpass", ">"+next).Err(); err != nil {
		t.Fatal(err)
	}
	// Redis leaves connections that there are alone; the watch says what the next would meet.
	eventually(t, "a warning", func() bool { return strings.Contains(text.String(), "WRONGPASS") })
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v before any connection ended, want none", got)
	}
	killGate(t, c)
	eventually(t, "auth", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "auth") > 0 })
	eventually(t, "why in Ready", func() bool { err := b.Ready(); return err != nil && strings.Contains(err.Error(), "WRONGPASS") })
	writeFile(t, path, next+"\n")
	ready(t, b)
	publishSoon(t, b, r, "a", "after")
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	killGate(t, c)
	eventually(t, "why in Ready", func() bool {
		err := b.Ready()
		return err != nil && strings.Contains(err.Error(), "no password: open ")
	})
	writeFile(t, path, "")
	eventually(t, "why in Ready", func() bool { err := b.Ready(); return err != nil && strings.Contains(err.Error(), "is empty") })
	writeFile(t, path, next)
	ready(t, b)
	if s := text.String(); strings.Contains(s, secret) || strings.Contains(s, next) {
		t.Errorf("the log shows a password:\n%s", s)
	}
}

func TestRedisThatWantsACertificate(t *testing.T) {
	t.Parallel()
	s := redistest.StartMutualTLS(t)
	dir := t.TempDir()
	copyOf := func(path string) (copied, content string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copied = filepath.Join(dir, filepath.Base(path))
		writeFile(t, copied, string(text))
		return copied, string(text)
	}
	o := fast(s)
	if _, err := Probe(t.Context(), o); err == nil {
		t.Error("Probe without a certificate returned nil")
	}
	cert := ""
	o.CertFile, cert = copyOf(s.ClientCertFile)
	o.KeyFile, _ = copyOf(s.ClientKeyFile)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	publishSoon(t, b, r, "a", "before")
	writeFile(t, o.CertFile, "nothing")
	if err := s.Client().ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "why in Ready", func() bool {
		err := b.Ready()
		return err != nil && strings.Contains(err.Error(), "client certificate")
	})
	writeFile(t, o.CertFile, cert)
	ready(t, b)
	publishSoon(t, b, r, "a", "after")
}

func TestRedisOverASocketOfUnix(t *testing.T) {
	s := redistest.StartUnix(t)
	o := fastAt(s.URL() + "?db=2")
	if found, err := Probe(t.Context(), o); err != nil || found != s.Addr() {
		t.Errorf("Probe = %q, %v, want %q", found, err, s.Addr())
	}
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	backendSays(t, s.Client(), r, "a", "by a backend")
	publishSoon(t, b, r, "a", "by a client")
	conn := s.Client().Conn()
	defer conn.Close()
	if err := errors.Join(conn.Select(t.Context(), 2).Err(), conn.Set(t.Context(), "k", "1", 0).Err()); err != nil {
		t.Fatal(err)
	}
	if found, err := b.Exists(t.Context(), "k"); !found || err != nil {
		t.Errorf("Exists = %v, %v, want that of the database in the URL", found, err)
	}
}
