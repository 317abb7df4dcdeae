//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a child that is measured, or that the measured one needs, with the children of its own.
type process struct {
	cmd  *exec.Cmd
	addr string        // where it listens
	done chan struct{} // closed when it has ended
}

// start starts a program, which is killed if this process dies. What it says goes to stderr.
func start(addr, name string, args []string, env ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{cmd: cmd, addr: addr, done: make(chan struct{})}
	go func() { // ends with the process
		_ = cmd.Wait() // it is killed in the end
		close(p.done)
	}()
	return p, nil
}

// await waits until ready says so, at most 20 s. It stops a process that does not become ready.
func (p *process) await(ctx context.Context, ready func() bool) (err error) {
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if ready() {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at its start: %v", p.cmd.Path, p.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s did not listen on %s within %v", p.cmd.Path, p.addr, patience)
}

// listens reports whether the process takes connections.
func (p *process) listens() bool {
	nc, err := net.DialTimeout("tcp", p.addr, time.Second)
	if err != nil {
		return false
	}
	return nc.Close() == nil
}

// stop kills the process and its children: they are ours, and hold nothing of worth.
func (p *process) stop() {
	for _, pid := range p.pids() { // the parent first, lest it start another child
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	<-p.done
}

// pids are the process and its children, such as nginx's worker; none once it has ended.
func (p *process) pids() []int {
	select {
	case <-p.done:
		return nil
	default:
	}
	pid := p.cmd.Process.Pid
	pids := []int{pid}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return pids
	}
	for _, child := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(child); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// cpu is the CPU time used so far, of all threads, in user and kernel.
func (p *process) cpu() (sum time.Duration, err error) {
	const schedClock = 2 // CPUCLOCK_SCHED, clock_getcpuclockid(3)
	pids := p.pids()
	if len(pids) == 0 {
		return 0, fmt.Errorf("%s has ended: %v", p.cmd.Path, p.cmd.ProcessState)
	}
	for _, pid := range pids {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|schedClock), &t); err != nil {
			return 0, fmt.Errorf("reading the CPU clock of process %d: %w", pid, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// since is the CPU time used since cpu returned before.
func (p *process) since(before time.Duration) (time.Duration, error) {
	now, err := p.cpu()
	return now - before, err
}

// A size is memory in bytes: resident, and with what is shared divided among those who share it.
type size struct{ rss, pss int64 }

// memory returns the sum of the process and its children.
func (p *process) memory() (sum size, err error) {
	for _, pid := range p.pids() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return sum, err
		}
		for line := range bytes.Lines(b) {
			f := strings.Fields(string(line))
			if len(f) < 2 {
				continue
			}
			kb, _ := strconv.ParseInt(f[1], 10, 64) // the lines that are wanted are numbers
			switch f[0] {
			case "Rss:":
				sum.rss += kb << 10
			case "Pss:":
				sum.pss += kb << 10
			}
		}
	}
	if sum.rss == 0 {
		return sum, errors.New("no process to measure the memory of")
	}
	return sum, nil
}

// freeAddr returns an address of 127.0.0.1 that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// port is that of an address.
func port(addr string) string {
	_, port, _ := strings.Cut(addr, ":")
	return port
}
