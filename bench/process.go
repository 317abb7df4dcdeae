//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/auth"
)

// A process is a child that is measured, or that the measured one needs.
type process struct {
	cmd  *exec.Cmd
	addr string // where it listens
}

// start starts a child. Its own output goes to stderr, but for stdout, if that is wanted.
func start(stdout io.Writer, name string, args []string, env ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return &process{cmd: cmd}, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill() // it is ours, and holds nothing of worth
	_ = p.cmd.Wait()
}

// cpu is the CPU time that the process has used, of all its threads, in user and kernel.
func (p *process) cpu() (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED, clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|schedClock), &t); err != nil {
		return 0, fmt.Errorf("reading the CPU clock of %d: %w", p.cmd.Process.Pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns the resident and the proportional set size in bytes.
func (p *process) memory() (rss, pss int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 2 {
			continue
		}
		kb, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "Rss:":
			rss = kb << 10
		case "Pss:":
			pss = kb << 10
		}
	}
	return rss, pss, nil
}

const secret = "a secret of benchmarks, which is forty-eight bytes"

// A deployment is a gateway and its Redis.
type deployment struct {
	redis, gateway *process
	admin          string
}

// deploy builds roomgate and starts it beside a Redis of its own.
func deploy(ctx context.Context) (d *deployment, err error) {
	dir, err := os.MkdirTemp("", "roomgate-bench")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "roomgate")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/roomgate")
	build.Dir = ".." // this module is run from its own folder
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building roomgate: %w\n%s", err, out)
	}
	d = &deployment{}
	defer func() {
		if err != nil {
			d.stop()
		}
	}()
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	d.redis, err = start(io.Discard, "redis-server", []string{"--port", ports[0], "--bind", "127.0.0.1", "--save", "", "--dir", dir})
	if err != nil {
		return nil, fmt.Errorf("%w (install redis-server: apt-get install redis-server)", err)
	}
	d.redis.addr, d.admin = "127.0.0.1:"+ports[0], "127.0.0.1:"+ports[2]
	d.gateway, err = start(io.Discard, binary, []string{"serve", "--http.addr", "127.0.0.1:" + ports[1], "--admin.addr", d.admin,
		"--redis.url", "redis://" + d.redis.addr, "--log.level", "error"}, "ROOMGATE_AUTH_SECRET="+secret)
	if err != nil {
		return nil, err
	}
	d.gateway.addr = "127.0.0.1:" + ports[1]
	return d, d.await(ctx)
}

// await waits until the gateway is ready.
func (d *deployment) await(ctx context.Context) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r, err := http.Get("http://" + d.admin + "/readyz")
		if err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return errors.New("the gateway was not ready within 20 s")
}

func (d *deployment) stop() {
	for _, p := range []*process{d.gateway, d.redis} {
		if p != nil {
			p.stop()
		}
	}
}

// freePorts returns ports of 127.0.0.1 that nobody listens on.
func freePorts(n int) (ports []string, err error) {
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = ln.Close() }()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		ports = append(ports, port)
	}
	return ports, nil
}

// request is the handshake of a client with a token for room.
func request(room string) (string, error) {
	token, err := auth.Sign([]byte(secret), map[string]any{"sub": "u", "rooms": []string{room}, "exp": time.Now().Add(time.Hour).Unix()})
	return "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer " + token + "\r\n\r\n", err
}

// A publisher writes PUBLISH commands to Redis.
type publisher struct {
	nc net.Conn
	br *bufio.Reader
}

func dialRedis(addr string) (*publisher, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &publisher{nc, bufio.NewReader(nc)}, nil
}

// publish publishes and waits for Redis to have done it.
func (p *publisher) publish(channel string, payload []byte) error {
	if _, err := fmt.Fprintf(p.nc, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, len(payload), payload); err != nil {
		return err
	}
	_, err := p.br.ReadString('\n')
	return err
}
