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
	Mute    int            `json:"mute"`          // of these, in the second run
	Without measurement    `json:"without"`       // of all members, when all read
	With    measurement    `json:"with"`          // of those who read
	Before  float64        `json:"rss_before_mb"` // in the second run, once all are connected
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
	steps := &plan{began: time.Now(), total: 2**duration + 10*time.Second}
	f := flow{rate: slowRate, size: slowSize, duration: *duration}
	looked := ticking{gate, closeTick}
	err = with(ctx, r, looked, slowMembers, 1, func(s *subject, c *load.Clients) (err error) {
		got.Without, err = s.measure(ctx, r, c, f)
		return err
	})
	if err != nil {
		return err
	}
	steps.step(*duration, "all read: p50 %.1f ms, p99 %.1f ms%s", got.Without.P50, got.Without.P99, got.Without.trouble())
	err = with(ctx, r, looked, slowMembers-got.Mute, 1, func(s *subject, c *load.Clients) error {
		return got.beside(ctx, r, gate, s, c, f)
	})
	if err != nil {
		return err
	}
	steps.step(*duration, "%d never read: p50 %.1f ms, p99 %.1f ms%s; RSS %.1f MB, at most %.1f, in the end %.1f; ended: %s",
		got.Mute, got.With.P50, got.With.P99, got.With.trouble(), got.Before, got.Peak, got.After, reasons(got.Ended))
	fmt.Println(got.table())
	return keep(flags, slowFile, got)
}

// beside measures the readers beside clients that never read.
func (l *laggards) beside(ctx context.Context, r *rig, gate *roomgate, s *subject, c *load.Clients, f flow) (err error) {
	var mute []net.Conn
	for range l.Mute {
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
	var peak size
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
	l.Before, l.Peak, l.After = mega(before.rss), mega(max(peak.rss, before.rss)), mega(after.rss)
	return err
}

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }

// peak is the most memory that the process has, looked at four times a second until ctx ends.
func (p *process) peak(ctx context.Context) (most size) {
	for tick := time.NewTicker(250 * time.Millisecond); ; {
		if now, err := p.memory(); err == nil && now.rss > most.rss {
			most = now
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
