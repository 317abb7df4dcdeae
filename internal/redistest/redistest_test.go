package redistest

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAServerComesBackEmptyOnItsPort(t *testing.T) {
	s := Start(t, "--maxmemory", "8mb")
	c, addr := s.Client(), s.Addr()
	if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("a killed server answers")
	}
	s.Restart()
	if got := s.Addr(); got != addr {
		t.Errorf("it came back on %s, want %s", got, addr)
	}
	if n, err := c.DBSize(t.Context()).Result(); err != nil || n != 0 {
		t.Errorf("it came back with %d keys, %v; want none", n, err)
	}
	if got := c.ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "8388608" {
		t.Errorf("maxmemory = %s, want that of its arguments", got)
	}
}

func TestAPausedServerAnswersOnceItIsResumed(t *testing.T) {
	s := Start(t)
	c := s.Client()
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("a paused server answers")
	}
	s.Resume()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("a resumed server: %v", err)
	}
}

func TestAServerWithAPasswordCountsAsStarted(t *testing.T) {
	s := Start(t, "--requirepass", "a-password-of-redis")
	if err := s.Client().Ping(t.Context()).Err(); err == nil {
		t.Error("it answers without the password")
	}
}

func TestTLSVerifies(t *testing.T) {
	s := StartTLS(t)
	if err := s.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestMutualTLSWantsACertificateOfTheClient(t *testing.T) {
	s := StartMutualTLS(t)
	if err := s.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	if s.ClientCertFile == "" || s.ClientKeyFile == "" {
		t.Error("it names no files with the client's certificate")
	}
	o := s.options()
	o.TLSConfig = o.TLSConfig.Clone()
	o.TLSConfig.Certificates = nil
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err == nil {
		t.Error("it answers a client without a certificate")
	}
}

func TestAServerListensOnAUnixSocket(t *testing.T) {
	s := StartUnix(t)
	if want := "unix://" + s.Addr(); s.URL() != want {
		t.Errorf("URL is %s, want %s", s.URL(), want)
	}
	s.Restart()
	o, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}
