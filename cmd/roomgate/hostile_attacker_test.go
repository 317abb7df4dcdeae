//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// attackVariable makes a test binary the attackers' process: it holds an attack in JSON.
const attackVariable = "ROOMGATE_TEST_ATTACK"

func init() {
	if order := os.Getenv(attackVariable); order != "" {
		runAttack(order)
		os.Exit(0)
	}
}

// An attack is what the attackers' process is told.
type attack struct {
	Addr     string // of the gate
	Token    string // a good one: who attacks may be a user
	Busy     string // a good one for the room in which much is said
	Connects int    // with bad tokens, a second

	mu       sync.Mutex // guards what follows
	outcomes map[string]map[string]int
	sentBy   time.Time // when the link will have taken all that was sent
	sent     int64     // bytes of floods
}

// linkSpeed is what all floods together may send, in bytes a second: loopback would take as
// much as memory does, which no network brings.
const linkSpeed = 125e6 // a gigabit

// runAttack attacks until stdin ends, as it does when the test that started it is gone, and
// writes the outcomes to stdout.
func runAttack(order string) {
	a := &attack{outcomes: make(map[string]map[string]int)}
	if err := json.Unmarshal([]byte(order), a); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	a.all(ctx)
	a.mu.Lock() // floods may still be in their last write
	defer a.mu.Unlock()
	a.outcomes["floods"] = map[string]int{"MB sent": int(a.sent / 1e6)}
	if err := json.NewEncoder(os.Stdout).Encode(a.outcomes); err != nil {
		panic(err)
	}
}

// startAttack starts the attackers' process. The returned function ends it and returns what
// came of each kind of attack.
func startAttack(t testing.TB, a *attack) (end func() map[string]map[string]int) {
	t.Helper()
	order, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), attackVariable+"="+string(order), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() (outcomes map[string]map[string]int) {
		t.Helper()
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Fatalf("the attackers ended with %v", err)
		}
		if err := json.Unmarshal(out.Bytes(), &outcomes); err != nil {
			t.Fatalf("the attackers said %q: %v", out.String(), err)
		}
		return outcomes
	}
}

// swarm lets n attackers do the same, again and again, until ctx ends. What one returns is
// counted; empty: ctx ended within.
func (a *attack) swarm(ctx context.Context, all *sync.WaitGroup, name string, n int, once func(ctx context.Context, i int) string) {
	for i := range n {
		all.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				outcome := once(ctx, i+round*n)
				if outcome == "" || ctx.Err() != nil {
					continue
				}
				a.mu.Lock()
				if a.outcomes[name] == nil {
					a.outcomes[name] = make(map[string]int)
				}
				a.outcomes[name][outcome]++
				a.mu.Unlock()
				if outcome == "no connection" {
					time.Sleep(20 * time.Millisecond) // the gate is full of us
				}
			}
		})
	}
}

// send is Write at the speed of the attackers' link.
func (a *attack) send(to io.Writer, b []byte) error {
	a.mu.Lock()
	if now := time.Now(); a.sentBy.Before(now) {
		a.sentBy = now
	}
	a.sentBy = a.sentBy.Add(time.Duration(float64(len(b)) / linkSpeed * float64(time.Second)))
	a.sent += int64(len(b))
	wait := time.Until(a.sentBy)
	a.mu.Unlock()
	if wait > time.Millisecond {
		time.Sleep(wait)
	}
	_, err := to.Write(b)
	return err
}

// summary writes outcomes as one line for each attack, the commonest first.
func summary(outcomes map[string]map[string]int) string {
	var b strings.Builder
	var names []string
	for name := range outcomes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		total, parts := 0, []string{}
		for outcome, n := range outcomes[name] {
			total += n
			parts = append(parts, fmt.Sprintf("%s %d", outcome, n))
		}
		slices.Sort(parts)
		fmt.Fprintf(&b, "\n  %-20s %7d: %s", name, total, strings.Join(parts, ", "))
	}
	return b.String()
}

// dialLoopback connects from 127.network.x.y, as one host of many, and closes with a reset:
// ports are not to run out.
func dialLoopback(addr string, network, host int) (net.Conn, error) {
	d := net.Dialer{Timeout: wstest.Patience, KeepAlive: -1,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(network), byte(host>>8), byte(host))}}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := nc.(*net.TCPConn).SetLinger(0); err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return nc, nil
}

// A foe is one connection of an attacker.
type foe struct {
	net.Conn
	br   *bufio.Reader
	stop func() bool
}

// connect connects, and closes the connection when ctx ends.
func (a *attack) connect(ctx context.Context, i int) *foe {
	nc, err := dialLoopback(a.Addr, 66, i%500)
	if err != nil {
		return nil
	}
	return &foe{Conn: nc, br: bufio.NewReaderSize(nc, 512), stop: context.AfterFunc(ctx, func() { nc.Close() })}
}

func (f *foe) leave() {
	f.stop()
	_ = f.Conn.Close() // a reset: there is nothing to lose
}

// upgrade connects and shakes hands.
func (a *attack) upgrade(ctx context.Context, i int, token string, header ...string) (*foe, string) {
	f := a.connect(ctx, i)
	if f == nil {
		return nil, "no connection"
	}
	if token != "" {
		header = append(header, "Authorization: Bearer "+token)
	}
	_, err := io.WriteString(f, handshake(header...))
	if err == nil {
		var r *http.Response
		if r, err = http.ReadResponse(f.br, nil); err == nil && r.StatusCode == http.StatusSwitchingProtocols {
			if r.Header.Get("Sec-WebSocket-Extensions") != "" {
				f.leave()
				return nil, "an extension was accepted"
			}
			return f, ""
		}
		if err == nil {
			f.leave()
			return nil, fmt.Sprint("status ", r.StatusCode)
		}
	}
	f.leave()
	return nil, "cut off"
}

func handshake(header ...string) string {
	return "GET /ws HTTP/1.1\r\nHost: gate\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + strings.Join(append(header, ""), "\r\n") + "\r\n"
}

// outcome reads until the connection ends, and tells how.
func (f *foe) outcome() string {
	defer f.leave()
	for {
		var head [2]byte
		if _, err := io.ReadFull(f.br, head[:]); err != nil {
			return "cut off"
		}
		n := int(head[1])
		if n == 126 {
			var long [2]byte
			if _, err := io.ReadFull(f.br, long[:]); err != nil {
				return "cut off"
			}
			n = int(long[0])<<8 | int(long[1])
		} else if n > 126 {
			return "a frame of more than 64 KiB"
		}
		if head[0] != 0x80|wstest.Close {
			if _, err := f.br.Discard(n); err != nil {
				return "cut off"
			}
			continue
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(f.br, body); err != nil || n < 2 {
			return "close without a code"
		}
		return fmt.Sprint("close ", wstest.Frame{Op: wstest.Close, Payload: body}.CloseCode())
	}
}
