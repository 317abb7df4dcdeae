// Package redistest runs real redis-servers for a test: one, a master with replicas under Sentinel, or
// a Cluster. It lets the test kill, stop and restart each. It knows nothing of what the test wants of Redis.
package redistest

import (
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/roomgate/roomgate/internal/secrecy"
)

// go-redis writes each failed dial to stderr, in which the output of a test that kills its server
// would drown.
func init() { logging.Disable() }

// A Server is one redis-server on a loopback port or a unix socket, with nothing persistent. It ends
// with its test. Its methods are for the test's own goroutine; Addr and URL may be called from any.
type Server struct {
	t        testing.TB
	dir      string      // its own, temporary
	conf     string      // its configuration file; empty: none
	args     []string    // of the command line, but for conf and the port
	port     string      // the same once the Server has started; empty with a socket
	socket   string      // the path of its unix socket; empty: it listens on port
	tls      *tls.Config // what a client needs; nil without TLS
	password string      // of the user "default"; empty: none

	// CAFile is the PEM file of the authority that signed the server's certificate; empty without TLS.
	CAFile string
	// ClientCertFile and ClientKeyFile are the PEM files of a certificate that the server takes from a
	// client, and of its key; empty unless it was started by StartMutualTLS.
	ClientCertFile, ClientKeyFile string

	cmd    *exec.Cmd     // nil unless it runs
	paused bool          // by Pause
	exited chan struct{} // closed once cmd was waited for
	asker  *redis.Client // of ask; made by the first
}

// Start runs redis-server with args, each a part of its command line ("--maxmemory", "1mb"), and
// returns once it answers. A test that cannot have a redis-server fails: it is never skipped.
// Its password is a secret of the test, so it has 8 bytes at least.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t, args...)
	start(s)
	return s
}

// StartUnix is Start with a server that listens on a unix socket only.
func StartUnix(t testing.TB, args ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "rg") // the path of a socket is short (unix(7): 108 bytes), that of t.TempDir is not
	if err != nil {
		t.Fatalf("making a directory for redis-server's socket: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what stays is one empty directory
	s := newServer(t, args...)
	s.socket = filepath.Join(dir, "s")
	start(s)
	return s
}

// newServer returns a server that does not run yet.
func newServer(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	if i := slices.Index(args, "--requirepass"); i >= 0 {
		s.password = args[i+1]
		secrecy.Secret(s.password)
	}
	s.args = append([]string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", s.dir, "--loglevel", "warning"}, args...)
	return s
}

// Addr is the server's address, host:port, or the path of its unix socket.
func (s *Server) Addr() string {
	if s.socket != "" {
		return s.socket
	}
	return net.JoinHostPort("127.0.0.1", s.port)
}

// URL is the server's address as redis://host:port, rediss://host:port with TLS, or unix:///path.
func (s *Server) URL() string {
	switch {
	case s.socket != "":
		return "unix://" + s.socket
	case s.tls != nil:
		return "rediss://" + s.Addr()
	}
	return "redis://" + s.Addr()
}

// Client returns a new client of the server, closed when the test ends. It says no password.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(s.options())
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *Server) options() *redis.Options {
	network := "tcp"
	if s.socket != "" {
		network = "unix"
	}
	return &redis.Options{
		Network:                  network,
		Addr:                     s.Addr(),
		TLSConfig:                s.tls,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
