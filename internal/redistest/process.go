package redistest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	startLimit = 10 * time.Second     // until a started server must answer
	startPoll  = 5 * time.Millisecond // between two PINGs until then
	portTries  = 5                    // another process may take a free port before redis-server does
	askLimit   = 2 * time.Second      // for one command, with a handshake on a machine that is busy
)

// start runs the servers side by side, each on a port on which it comes up, and returns once all
// answer. They end with the test.
func start(servers ...*Server) {
	for _, s := range servers {
		s.t.Helper()
		s.t.Cleanup(s.Kill)
		if s.socket == "" {
			s.port = FreePort(s.t)
		}
		s.launch()
	}
	for _, s := range servers {
		for tries := 1; !s.answers(); tries++ {
			if tries == portTries || s.socket != "" {
				s.t.Fatalf("redis-server did not come up (ports tried: %d); it said:\n%s", tries, s.output())
			}
			s.port = FreePort(s.t)
			s.launch()
		}
	}
}

// launch starts the process, which may find that it cannot run.
func (s *Server) launch() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("install redis-server (apt-get install redis-server / brew install redis)")
	}
	out, err := os.Create(s.outputPath())
	if err != nil {
		s.t.Fatalf("making a file for redis-server's output: %v", err)
	}
	defer out.Close() // the process has its own descriptor

	s.cmd = exec.Command(path, s.commandLine()...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	endWithThread(s.cmd)
	s.paused = false
	cmd, started, exited := s.cmd, make(chan error), make(chan struct{})
	s.exited = exited
	go func() { // ends with the process, for which Kill waits
		defer close(exited)
		runtime.LockOSThread() // so that the thread with which the process ends lives as long as this
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		s.cmd = nil
		s.t.Fatalf("starting %s: %v", path, err)
	}
}

func (s *Server) commandLine() []string {
	var line []string
	if s.conf != "" {
		line = append(line, s.conf, "--sentinel") // only a sentinel has a file, and these come first
	}
	switch {
	case s.socket != "":
		line = append(line, "--port", "0", "--unixsocket", s.socket)
	case s.tls != nil:
		line = append(line, "--port", "0", "--tls-port", s.port)
	default:
		line = append(line, "--port", s.port)
	}
	return append(line, s.args...)
}

// answers waits until the server has answered a PING, if only to say that it wants a password.
// False means that it exited.
func (s *Server) answers() bool {
	s.t.Helper()
	client := redis.NewClient(s.options())
	defer client.Close()
	deadline := time.After(startLimit)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
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

// Kill ends the server at once, as a crash does (SIGKILL), and waits until it is gone.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	s.signal(syscall.SIGKILL)
	<-s.exited
	s.cmd = nil
}

// Restart starts the server again on the same port, empty, killing it first if it runs. A replica
// follows the master of its start, a sentinel and a node of a Cluster what they knew last.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.launch()
	if !s.answers() {
		s.t.Fatalf("redis-server did not come up again on %s; it said:\n%s", s.Addr(), s.output())
	}
}

// live reports whether the server runs and is not paused, as far as this package knows.
func (s *Server) live() bool { return s.cmd != nil && !s.paused }

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
