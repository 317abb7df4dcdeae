//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/load"
)

// laggards are the readers of a room in which some never read.
type laggards struct {
	Machine machine        `json:"machine"`
	Command string         `json:"command"`
	Outbox  string         `json:"outbox"` // limits.outbox_bytes
	Members int            `json:"members"`
	Mute    int            `json:"mute"` // of these
	Rounds  []laggardRound `json:"rounds"`
}

// A laggardRound is both runs.
type laggardRound struct {
	Without measurement    `json:"without"`       // of all members, when all read
	With    measurement    `json:"with"`          // of those who read
	Before  float64        `json:"rss_before_mb"` // in the run with those who never read, once all are connected
	Peak    float64        `json:"rss_peak_mb"`
	After   float64        `json:"rss_after_mb"`
	Ended   map[string]int `json:"ended"` // connections that the server ended, by its own reason
}

const (
	slowMembers = 1000
	slowShare   = 10   // in %, who never read
	slowRate    = 50   // messages a second
	slowSize    = 1024 // bytes
	muteBuffer  = 4096 // bytes that the kernel is asked to hold for one who never reads, so that the server's queue is what fills
)

func slowVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	got := &laggards{Machine: thisMachine(), Command: command(), Members: slowMembers, Mute: slowMembers * slowShare / 100}
	flags.StringVar(&got.Outbox, "outbox", "256KiB", "limits.outbox_bytes of the server: what may wait for a client")
	duration := flags.Duration("duration", 90*time.Second, "of one measurement; it must be long enough for the outboxes to fill")
	rounds := flags.Int("rounds", 3, "measurements of each, in turn")
	writes(flags, slowFile)
	if err := parse(flags, args); err != nil {
		return err
	}
	gate := &roomgate{args: []string{"--limits.outbox_bytes", got.Outbox}}
	r, err := newRig(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	if err := gate.prepare(ctx, r); err != nil {
		return err
	}
	steps := &plan{began: time.Now(), total: time.Duration(*rounds) * (2**duration + 10*time.Second)}
	f := flow{rate: slowRate, size: slowSize, duration: *duration}
	for i := range *rounds {
		round, err := got.round(ctx, r, gate, f, i%2 == 1)
		if err != nil {
			return err
		}
		got.Rounds = append(got.Rounds, round)
		steps.step(2**duration+10*time.Second, "round %d of %d: all read: p50 %.1f ms, p99 %.1f ms%s; %d never read: p50 %.1f ms, p99 %.1f ms%s; RSS %.1f MB, at most %.1f, in the end %.1f; ended: %s",
			i+1, *rounds, round.Without.P50, round.Without.P99, round.Without.trouble(), got.Mute, round.With.P50, round.With.P99, round.With.trouble(),
			round.Before, round.Peak, round.After, reasons(round.Ended))
	}
	fmt.Println(got.table())
	return keep(flags, slowFile, got)
}

// round measures a room in which all read, and one in which some never do; turned: the other way round, since a machine
// that is slower in the second run than in the first must not look like a server that is.
func (l *laggards) round(ctx context.Context, r *rig, gate *roomgate, f flow, turned bool) (round laggardRound, err error) {
	looked := ticking{gate, closeTick}
	runs := []func() error{
		func() error {
			return with(ctx, r, looked, l.Members, 1, func(s *subject, c *load.Clients) (err error) {
				round.Without, err = s.measure(ctx, r, c, f)
				return err
			})
		},
		func() error {
			return with(ctx, r, looked, l.Members-l.Mute, 1, func(s *subject, c *load.Clients) error {
				return round.beside(ctx, r, gate, s, c, f, l.Mute)
			})
		},
	}
	if turned {
		slices.Reverse(runs)
	}
	for _, run := range runs {
		if err := run(); err != nil {
			return round, err
		}
	}
	return round, nil
}

// beside measures the readers beside clients that never read.
func (l *laggardRound) beside(ctx context.Context, r *rig, gate *roomgate, s *subject, c *load.Clients, f flow, clients int) (err error) {
	var mute []net.Conn
	for range clients {
		nc, err := dialMute(s.addr)
		if err != nil {
			return fmt.Errorf("a client that never reads: %w", err)
		}
		defer func() { _ = nc.Close() }() // nothing was written that could be lost
		mute = append(mute, nc)
	}
	before, err := s.memory()
	if err != nil {
		return err
	}
	sampling, stop := context.WithCancel(ctx)
	var peak int64
	var sampler sync.WaitGroup // of goroutines that end with sampling
	sampler.Go(func() { peak = s.peak(sampling) })
	sampler.Go(func() { live(sampling, mute) })
	l.With, err = s.measure(ctx, r, c, f)
	stop()
	sampler.Wait()
	if err != nil {
		return err
	}
	if l.Ended, err = gate.ended(); err != nil {
		return err
	}
	if err := c.Idle(ctx, 10*time.Second); err != nil { // in which memory is given back, as it is in life
		return err
	}
	after, err := s.memory()
	l.Before, l.Peak, l.After = mega(before.rss), mega(max(peak, before.rss)), mega(after.rss)
	return err
}

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }

// peak is the most resident memory that the process has, in bytes, looked at four times a second until ctx ends. It is
// that of statm, which the kernel keeps: for the exact figure it would walk the pages, while latencies are measured.
func (p *process) peak(ctx context.Context) (most int64) {
	path := fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid)
	for tick := time.NewTicker(250 * time.Millisecond); ; {
		if b, err := os.ReadFile(path); err == nil {
			var total, resident int64
			if _, err := fmt.Sscan(string(b), &total, &resident); err == nil {
				most = max(most, resident*int64(os.Getpagesize()))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return most
		}
	}
}

// live sends a pong of each client now and then, until ctx ends, so that the heartbeat does not end it: what is
// measured is the queue of one who never reads, at its longest.
func live(ctx context.Context, clients []net.Conn) {
	pong := []byte{0x8a, 0x80, 0, 0, 0, 0} // masked, and empty
	for tick := time.NewTicker(heartbeat / 3); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
		for _, nc := range clients {
			_, _ = nc.Write(pong) // one that the server has ended needs none
		}
	}
}

// dialMute connects a client of the load's first room that reads the handshake, and nothing after it.
func dialMute(addr string) (net.Conn, error) {
	deadline := time.Now().Add(10 * time.Second)
	d := net.Dialer{Control: smallBuffer, Deadline: deadline}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(deadline) // of a socket just made
	request := "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + bearer(0, "bench-0")[0] + "\r\n\r\n"
	if _, err = io.WriteString(nc, request); err == nil {
		err = upgraded(nc)
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return nc, nc.SetDeadline(time.Time{})
}

// upgraded reads the answer to a handshake.
func upgraded(nc net.Conn) error {
	answer, err := http.ReadResponse(bufio.NewReaderSize(nc, 1024), nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("refused with %s", answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// smallBuffer asks the kernel for a small receive buffer, before the connection is made: later it would be too late.
func smallBuffer(_, _ string, rc syscall.RawConn) (err error) {
	controlled := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, muteBuffer) })
	return errors.Join(controlled, err)
}

// ended is how many connections the gateway has ended, by its own metrics' reasons.
func (p *roomgate) ended() (map[string]int, error) {
	r, err := adminClient.Get("http://" + p.admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	ended := map[string]int{}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), `roomgate_connections_ended_total{reason="`)
		reason, value, _ := strings.Cut(rest, `"} `)
		if n, err := strconv.Atoi(value); ok && err == nil && n > 0 {
			ended[reason] = n
		}
	}
	return ended, lines.Err()
}
