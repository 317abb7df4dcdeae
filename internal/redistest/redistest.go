// Package redistest runs a real redis-server for a test, and lets the test kill, stop and restart
// it. It knows nothing of what the test wants of Redis.
package redistest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/roomgate/roomgate/internal/secrecy"
)

const (
	startLimit = 10 * time.Second       // until a started server must answer
	startPoll  = 5 * time.Millisecond   // between two PINGs until then
	portTries  = 5                      // another process may take a free port before redis-server does
	pingLimit  = 500 * time.Millisecond // for one PING
)

// go-redis writes each failed dial to stderr, in which the output of a test that kills its server
// would drown.
func init() { logging.Disable() }

// A Server is one redis-server on a loopback port, with nothing persistent. It ends with its test.
// Its methods are for the test's own goroutine; Addr and URL may be called from any.
type Server struct {
	t    testing.TB
	dir  string      // its own, temporary
	args []string    // of the command line, but for the port
	port string      // the same for the Server's whole life
	tls  *tls.Config // what a client needs; nil without TLS

	// CAFile is the PEM file of the authority that signed the server's certificate; empty without TLS.
	CAFile string

	cmd    *exec.Cmd
	exited chan struct{} // closed once cmd was waited for
}

// Start runs redis-server with args, each a part of its command line ("--maxmemory", "1mb"), and
// returns once it answers. A test that cannot have a redis-server fails: it is never skipped.
// Its password is a secret of the test, so it has 8 bytes at least.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if i := slices.Index(args, "--requirepass"); i >= 0 {
		secrecy.Secret(args[i+1])
	}
	s := &Server{t: t, dir: t.TempDir()}
	s.args = append(s.baseArgs(), args...)
	s.start()
	return s
}

// StartTLS is Start with a server that speaks TLS only, under a certificate for 127.0.0.1 and
// localhost that the authority in CAFile signed.
func StartTLS(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	pool, err := writeCertificates(s.dir)
	if err != nil {
		t.Fatalf("making certificates for redis-server: %v", err)
	}
	s.tls = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	s.CAFile = filepath.Join(s.dir, caName)
	s.args = append(s.baseArgs(), "--port", "0", "--tls-auth-clients", "no", "--tls-ca-cert-file", s.CAFile,
		"--tls-cert-file", filepath.Join(s.dir, certName), "--tls-key-file", filepath.Join(s.dir, keyName))
	s.args = append(s.args, args...)
	s.start()
	return s
}

func (s *Server) baseArgs() []string {
	return []string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir, "--loglevel", "warning"}
}

// start finds a port on which redis-server comes up, and sees to it that it ends with the test.
func (s *Server) start() {
	s.t.Helper()
	s.t.Cleanup(s.Kill)
	for range portTries {
		s.port = freePort(s.t)
		if s.run() {
			return
		}
	}
	s.t.Fatalf("redis-server did not come up on any of %d ports; the last said:\n%s", portTries, s.output())
}

// run starts the process and reports whether it answers. False means that it exited.
func (s *Server) run() bool {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("install redis-server (apt-get install redis-server / brew install redis)")
	}
	portFlag := "--port"
	if s.tls != nil {
		portFlag = "--tls-port"
	}
	out, err := os.Create(s.outputPath())
	if err != nil {
		s.t.Fatalf("making a file for redis-server's output: %v", err)
	}
	defer out.Close() // the process has its own descriptor

	s.cmd = exec.Command(path, append([]string{portFlag, s.port}, s.args...)...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("starting %s: %v", path, err)
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() { // ends with the process, for which Kill waits
		defer close(exited)
		_ = cmd.Wait()
	}()
	return s.answers()
}

// answers waits until the server has answered a PING, if only to say that it wants a password.
func (s *Server) answers() bool {
	s.t.Helper()
	client := s.dial()
	defer client.Close()
	deadline := time.After(startLimit)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), pingLimit)
		err := client.Ping(ctx).Err()
		cancel()
		if _, said := errors.AsType[redis.Error](err); err == nil || said {
			return true
		}
		select {
		case <-s.exited:
			return false
		case <-deadline:
			s.t.Fatalf("redis-server on %s did not answer within %v: %v", s.Addr(), startLimit, err)
		case <-time.After(startPoll):
		}
	}
}

// Addr is the server's address, host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// URL is the server's address as redis://host:port, or rediss://host:port with TLS.
func (s *Server) URL() string {
	if s.tls != nil {
		return "rediss://" + s.Addr()
	}
	return "redis://" + s.Addr()
}

// Client returns a new client of the server, closed when the test ends.
func (s *Server) Client() *redis.Client {
	c := s.dial()
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *Server) dial() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                     s.Addr(),
		TLSConfig:                s.tls,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Kill ends the server at once, as a crash does (SIGKILL), and waits until it is gone.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	s.signal(syscall.SIGKILL)
	<-s.exited
	s.cmd = nil
}

// Restart starts the server again on the same port, empty, killing it first if it runs.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	if !s.run() {
		s.t.Fatalf("redis-server did not come up again on %s; it said:\n%s", s.Addr(), s.output())
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatalf("redis-server on %s was sent %v, but it does not run", s.Addr(), sig)
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("sending %v to redis-server: %v", sig, err)
	}
}

func (s *Server) outputPath() string { return filepath.Join(s.dir, "output") }

func (s *Server) output() string {
	b, err := os.ReadFile(s.outputPath())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// freePort returns a loopback port that nobody listens on now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatalf("finding a free port: %v", err)
	}
	return port
}
