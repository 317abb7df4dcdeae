//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/roomgate/roomgate/auth"
)

// heartbeat is the time between two pings of every server to each client.
const heartbeat = 25 * time.Second

const (
	secret    = "a secret of benchmarks, which is forty-eight bytes"
	secretEnv = "BENCH_SECRET=" + secret
)

var heartbeatArg = "-heartbeat=" + heartbeat.String()

// A rig is what all peers are measured beside: a Redis, and a folder for what is built.
type rig struct {
	dir   string
	redis *process
}

func newRig(ctx context.Context) (r *rig, err error) {
	r = &rig{}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "roomgate-bench"); err != nil {
		return nil, err
	}
	if err := os.Chmod(r.dir, 0o755); err != nil { // nginx's worker may be another user
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	r.redis, err = start(addr, "redis-server", []string{"--bind", "127.0.0.1", "--port", port(addr), "--save", "", "--dir", r.dir})
	if err != nil {
		return nil, fmt.Errorf("%w (install it: apt-get install redis-server)", err)
	}
	return r, r.redis.await(ctx, r.redis.listens)
}

func (r *rig) close() {
	if r.redis != nil {
		r.redis.stop()
	}
	_ = os.RemoveAll(r.dir) // in the system's folder for what may go
}

// build builds the Go program in folder, seen from this module's, and returns its path.
func (r *rig) build(ctx context.Context, folder, pkg string) (string, error) {
	return r.buildAs(ctx, filepath.Base(pkg), folder, pkg)
}

// buildAs is build with a name for the program, and more flags.
func (r *rig) buildAs(ctx context.Context, name, folder, pkg string, flags ...string) (string, error) {
	path := filepath.Join(r.dir, name)
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", path}, flags, []string{pkg})...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// token is one that lets its bearer into rooms for a day.
func token(rooms ...string) string {
	t, err := auth.Sign([]byte(secret), map[string]any{"sub": "u", "rooms": rooms, "exp": time.Now().Add(24 * time.Hour).Unix()})
	if err != nil {
		panic(err) // the secret is long enough, and the claims are JSON
	}
	return t
}

// bearer is the header line of a client's handshake that carries its token.
func bearer(_ int, room string) []string { return []string{"Authorization: Bearer " + token(room)} }
