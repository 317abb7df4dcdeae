//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// all attacks in every way at once, until ctx ends.
func (a *attack) all(ctx context.Context) {
	var all sync.WaitGroup
	a.swarm(ctx, &all, "slow handshakes", 200, a.slowHandshake)
	a.swarm(ctx, &all, "slow frames", 200, a.slowFrame)
	a.swarm(ctx, &all, "giant frames", 10, a.giantFrame)
	a.swarm(ctx, &all, "deflate bombs", 10, a.deflateBomb)
	a.swarm(ctx, &all, "ping floods", 20, a.pingFlood)
	a.swarm(ctx, &all, "subscribe floods", 20, a.subscribeFlood)
	a.swarm(ctx, &all, "close floods", 10, a.closeFlood)
	a.swarm(ctx, &all, "connect and reset", 10, a.reset)
	a.swarm(ctx, &all, "never read", 50, a.neverRead)
	a.swarm(ctx, &all, "half-open", 1000, a.halfOpen)
	a.swarm(ctx, &all, "no auth message", 200, a.noAuth)
	a.badTokens(ctx, &all)
	all.Wait()
}

// pause is for attacks whose many connections would starve the others.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// trickle sends a byte every now and then, until the connection ends.
func (f *foe) trickle(ctx context.Context, b []byte, every time.Duration) {
	for i := range b {
		if _, err := f.Write(b[i : i+1]); err != nil || ctx.Err() != nil {
			return
		}
		pause(ctx, every)
	}
}

func (a *attack) slowHandshake(ctx context.Context, i int) string {
	f := a.connect(ctx, i)
	if f == nil {
		return "no connection"
	}
	go f.trickle(ctx, []byte(handshake("X: "+strings.Repeat("x", 4000))), 200*time.Millisecond)
	_, _ = io.Copy(io.Discard, f.br) // until it is cut off
	f.leave()
	return "cut off"
}

func (a *attack) slowFrame(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, a.Token)
	if f == nil {
		return refused
	}
	go f.trickle(ctx, wstest.AppendFrame(nil, 0x80|wstest.Text, make([]byte, 4000)), 200*time.Millisecond)
	return f.outcome()
}

// giantFrame announces a terabyte, and sends what the gate takes of it.
func (a *attack) giantFrame(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, a.Token)
	if f == nil {
		return refused
	}
	head := binary.BigEndian.AppendUint64([]byte{0x80 | wstest.Binary, 0x80 | 127}, 1<<40)
	go func() {
		_, err := f.Write(append(head, 1, 2, 3, 4))
		for chunk := make([]byte, 64<<10); err == nil; {
			err = a.send(f, chunk)
		}
	}()
	defer pause(ctx, 10*time.Millisecond)
	return f.outcome()
}

// bomb is a compressed message of 100 MB of zeros.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // the level is valid
	_, _ = w.Write(make([]byte, 1<<20))                // to memory: cannot fail
	_ = w.Flush()
	all := bytes.Repeat(b.Bytes(), 100) // flushed: each copy is whole
	const rsv1 = 0x40
	return wstest.AppendFrame(nil, 0x80|rsv1|wstest.Text, all[:len(all)-4]) // RFC 7692 section 7.2.1
})

func (a *attack) deflateBomb(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, a.Token, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	if f == nil {
		return refused
	}
	go func() { _ = a.send(f, bomb()) }() // it may be cut off within
	defer pause(ctx, 10*time.Millisecond)
	return f.outcome()
}

// flood sends the same again and again, until the connection ends.
func (a *attack) flood(f *foe, b []byte) {
	for a.send(f, b) == nil {
	}
}

func (a *attack) pingFlood(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, a.Token)
	if f == nil {
		return refused
	}
	go a.flood(f, bytes.Repeat(wstest.AppendFrame(nil, 0x80|wstest.Ping, make([]byte, 125)), 100))
	return f.outcome()
}

func (a *attack) subscribeFlood(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, a.Token, "Sec-WebSocket-Protocol: "+v1)
	if f == nil {
		return refused
	}
	var b []byte
	for n := range 100 {
		b = wstest.AppendFrame(b, 0x80|wstest.Text, fmt.Appendf(nil, `{"type":"subscribe","room":"evil:%d:%d","ref":%d}`, i, n, n))
	}
	go a.flood(f, b)
	return f.outcome()
}

// closeFlood sends many close frames at once.
func (a *attack) closeFlood(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, a.Token)
	if f == nil {
		return refused
	}
	go a.flood(f, bytes.Repeat(wstest.AppendFrame(nil, 0x80|wstest.Close, []byte{0x03, 0xE8}), 100))
	return f.outcome()
}

// reset breaks the connection as soon as its request is out.
func (a *attack) reset(ctx context.Context, i int) string {
	f := a.connect(ctx, i)
	if f == nil {
		return "no connection"
	}
	defer f.leave()
	if _, err := io.WriteString(f, handshake("Authorization: Bearer "+a.Token)); err != nil {
		return "cut off"
	}
	pause(ctx, time.Duration(i%3)*time.Millisecond)
	return "done"
}

// neverRead sits in a busy room with a small receive buffer, and reads nothing.
func (a *attack) neverRead(ctx context.Context, i int) string {
	d := net.Dialer{Control: func(_, _ string, rc syscall.RawConn) error {
		return rc.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	nc, err := d.DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return "no connection"
	}
	defer nc.Close()
	_, err = io.WriteString(nc, handshake("Authorization: Bearer "+a.Busy))
	for err == nil && ctx.Err() == nil {
		pause(ctx, 200*time.Millisecond)
		_, err = nc.Write(wstest.AppendFrame(nil, 0x80|wstest.Pong, nil)) // fails once the gate has cut it off
	}
	return "cut off"
}

func (a *attack) halfOpen(ctx context.Context, i int) string {
	f := a.connect(ctx, i)
	if f == nil {
		return "no connection"
	}
	defer f.leave()
	_, _ = f.br.ReadByte()
	return "cut off"
}

// pong shows signs of life until the connection ends.
func (f *foe) pong(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := f.Write(wstest.AppendFrame(nil, 0x80|wstest.Pong, nil)); err != nil {
			return
		}
		pause(ctx, time.Second)
	}
}

func (a *attack) noAuth(ctx context.Context, i int) string {
	f, refused := a.upgrade(ctx, i, "", "Sec-WebSocket-Protocol: "+v1)
	if f == nil {
		return refused
	}
	go f.pong(ctx)
	return f.outcome()
}

// badTokens opens a.Connects connections a second, each with a token of one of several wrong
// kinds, or as many as the machine does.
func (a *attack) badTokens(ctx context.Context, all *sync.WaitGroup) {
	signed := a.Token[:strings.LastIndexByte(a.Token, '.')+1]
	bad := []string{
		signed + strings.Repeat("A", 43),                    // another's signature
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",          // none at all
		strings.Repeat("x", 8<<10),                          // no token, and as long as one may be
		"e30.e30.e30",                                       // next to nothing
		signed + strings.Repeat("A", 43) + ".." + "surplus", // too many parts
	}
	tickets := make(chan struct{}, 100)
	all.Go(func() {
		began := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			pause(ctx, time.Until(began.Add(time.Duration(n)*time.Second/time.Duration(a.Connects))))
			select {
			case tickets <- struct{}{}:
			case <-ctx.Done():
			}
		}
	})
	a.swarm(ctx, all, "bad tokens", 1000, func(ctx context.Context, i int) string {
		select {
		case <-tickets:
		case <-ctx.Done():
			return ""
		}
		f, refused := a.upgrade(ctx, i, bad[i%len(bad)])
		if f == nil {
			return refused
		}
		return f.outcome()
	})
}
