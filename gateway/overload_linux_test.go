package gateway

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// narrow gives a socket small buffers, so that what a client does not read is the gateway's to keep,
// and not the kernel's.
func narrow(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 16<<10) // if they fail, the buffers are large
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
	})
}

// newNarrowWorld is newWorld with small buffers of the kernel's.
func newNarrowWorld(t *testing.T, change func(*Options)) *world {
	ln, err := (&net.ListenConfig{Control: narrow}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, ln, change)
	w.url = "ws://" + ln.Addr().String() + "/ws"
	return w
}

// dialNarrow is dialV1 with small buffers of the kernel's.
func (w *world) dialNarrow(token string) *wstest.Client {
	w.t.Helper()
	nc, err := (&net.Dialer{Control: narrow}).Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(w.url, "ws://"), "/ws"))
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := wstest.Over(w.t, nc, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token)
	if err != nil {
		w.t.Fatal(err)
	}
	c.WantType("hello")
	return c
}

// watchHeap returns a function that stops the watching, and says by how many bytes the live heap
// was larger than now at most.
func watchHeap() (stop func() int64) {
	live := func() int64 {
		sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
		runtimemetrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before, most := live(), int64(0)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
				runtime.GC() // which sees what is live, and what is not
				most = max(most, live()-before)
			}
		}
	}()
	return func() int64 { close(ended); <-done; return most }
}

// audit reads numbered messages until the last, or until the connection ends, and says what is
// wrong: a message that is missing without a gap where it should be, or one that comes again.
func audit(c *wstest.Client, pause time.Duration) (received, gaps int, whole bool, wrong error) {
	next, gap := 0, false
	for {
		f, err := c.Read()
		switch {
		case err != nil || f.Op == wstest.Close: // ended as a slow consumer, which tells it to refetch
			return received, gaps, false, nil
		case f.Op != wstest.Text:
			continue
		case bytes.Contains(f.Payload, []byte(`"type":"gap"`)):
			gap = true
			gaps++
			continue
		case bytes.Contains(f.Payload, []byte(`"data":"last"`)):
			return received, gaps, true, nil
		}
		_, data, _ := bytes.Cut(f.Payload, []byte(`"data":"`))
		n, err := strconv.Atoi(string(data[:8]))
		if err != nil || n < next || n > next && !gap {
			return received, gaps, false, fmt.Errorf("got %q after message %d, gap %v", f, next-1, gap)
		}
		next, gap = n+1, false
		if received++; pause > 0 && received%100 == 0 {
			time.Sleep(pause) // what makes it slow
		}
	}
}

func TestOverloadStaysWithinItsBoundAndEveryLossIsToldOf(t *testing.T) {
	t.Run("mailboxes full", func(t *testing.T) {
		if gaps, _ := overload(t, 16<<10, 1<<20, 50); gaps == 0 {
			t.Error("no gap was told")
		}
	})
	t.Run("outboxes full", func(t *testing.T) {
		if _, slow := overload(t, 4<<20, 256<<10, 500); slow == 0 {
			t.Error("nobody who reads was too slow")
		}
	})
}

// overload publishes messages of size bytes as fast as it can to a thousand clients, of which
// some never read and some are slow. It returns how many gaps they were told of, and how many
// of those that read were ended.
func overload(t *testing.T, mailbox, outbox, size int) (gaps, slow int64) {
	const (
		rooms, members = 8, 1000
		total          = 8 << 20
		slack          = 8 << 20 // what the test's own clients keep
		lasting        = 2 * time.Second
	)
	w := newNarrowWorld(t, func(o *Options) {
		o.MailboxBytes, o.OutboxBytes, o.OutboxTotalBytes = mailbox, outbox, total
		o.PingInterval, o.PongTimeout = 5*time.Minute, 4*time.Minute // not what ends who never reads
	})
	var reading sync.WaitGroup
	var received, told, ended atomic.Int64
	for i := range members {
		c := w.dialNarrow(w.token(fmt.Sprint(i % rooms)))
		c.Patience = 2 * time.Minute
		pause := time.Duration(0)
		switch i / rooms % 10 { // of each ten in a room
		case 0:
			continue // never reads
		case 1, 2, 3:
			pause = 100 * time.Millisecond
		}
		reading.Go(func() {
			n, g, whole, err := audit(c, pause)
			if err != nil {
				t.Error(err)
			}
			received.Add(int64(n))
			told.Add(int64(g))
			if !whole {
				ended.Add(1)
			}
		})
	}
	stop := watchHeap()
	pad := strings.Repeat("x", size)
	published := 0
	for start := time.Now(); time.Since(start) < lasting; published++ {
		for r := range rooms {
			w.Deliver(fmt.Sprint(r), fmt.Appendf(nil, `"%08d%s"`, published, pad))
		}
	}
	for r := range rooms {
		w.settle(fmt.Sprint(r))
		w.Deliver(fmt.Sprint(r), []byte(`"last"`))
	}
	reading.Wait()
	most, bound := stop(), int64(len(w.lanes)*mailbox+total)
	t.Logf("%d messages to each of %d rooms: %d deliveries, %d gaps, %d readers ended; memory rose by %d KiB, bound %d KiB",
		published, rooms, received.Load(), told.Load(), ended.Load(), most>>10, bound>>10)
	if most > bound+slack {
		t.Errorf("the live heap rose by %d bytes, want at most %d and %d", most, bound, slack)
	}
	if received.Load() == 0 {
		t.Error("nothing was delivered")
	}
	if err := w.Drain(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if kept, owed := w.backlog.kept.Load(), w.backlog.owed.Load(); kept != 0 || owed != 0 {
		t.Errorf("with nobody left, %d bytes are kept and %d owed", kept, owed)
	}
	return told.Load(), ended.Load()
}

func TestMailboxCountsAtLeastWhatItsMessagesTake(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MailboxBytes = 32 << 20 })
	w.dialV1(w.token("42"))
	release := w.holdLane("42")
	defer release()
	l := w.laneOf("42")
	stop := watchHeap()
	for range 20_000 {
		w.Deliver(strings.Clone("42"), []byte{'1'}) // small ones take most beside their bytes
	}
	w.await("a look at the heap", func() bool { runtime.GC(); return true })
	most := stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if most > int64(l.bytes) || len(l.mailbox) != 20_000 {
		t.Errorf("%d messages take %d bytes, and count as %d", len(l.mailbox), most, l.bytes)
	}
}

func TestWhatClientsAskForIsBoundedInAMailbox(t *testing.T) {
	const clients, each = 5, 2000
	w := newWorld(t, nil) // no limit of messages
	elsewhere := ""
	for i := 0; elsewhere == ""; i++ {
		if name := fmt.Sprint("o", i); w.laneOf(name) != w.laneOf("42") {
			elsewhere = name
		}
	}
	var cs []*wstest.Client
	for range clients {
		cs = append(cs, w.dialV1(w.token("42")))
	}
	release := w.holdLane("42")
	for _, c := range cs {
		for range each {
			c.SendText(`{"type":"subscribe","room":"42"}`)
		}
	}
	l := w.laneOf("42")
	asked := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.asked
	}
	w.await("a full mailbox", func() bool { return asked() >= askedMost+clients })
	w.dialV1(w.token(elsewhere)) // meanwhile they would have gone on
	if n := asked(); n != askedMost+clients {
		t.Errorf("%d requests wait, want at most %d and one of each of %d clients", n, askedMost, clients)
	}
	release()
	for _, c := range cs {
		for range each {
			c.WantType("subscribed")
		}
	}
}
