package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
)

// newBacklog returns what outboxes keep that may take most bytes together.
func newBacklog(most int64) *backlog {
	b := &backlog{}
	b.most.Store(most)
	return b
}

// newOutbox returns an outbox to a TCP connection, and the other end of it.
func newOutbox(t testing.TB, limit int) (*outbox, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	theirs, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	o := &outbox{limit: limit, all: newBacklog(1 << 30), active: new(sync.WaitGroup), sock: newSocket(ours)}
	t.Cleanup(func() {
		_ = o.close()
		_ = theirs.Close()
	})
	return o, theirs
}

// fill sends frames of 1 KiB until n bytes wait, and returns how many were sent.
func (o *outbox) fill(t *testing.T, n int) (sent int) {
	t.Helper()
	frame := bytes.Repeat([]byte("x"), 1<<10)
	for o.waits() < n {
		if err := o.send(frame); err != nil {
			t.Fatalf("send %d: %v", sent, err)
		}
		sent++
	}
	return sent
}

func (o *outbox) waits() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

func TestSendQueuesOnlyWhatTheKernelRefuses(t *testing.T) {
	o, theirs := newOutbox(t, 1<<20)
	if err := o.send([]byte("at once")); err != nil || o.waits() != 0 {
		t.Fatalf("an idle socket: %v, %d bytes wait", err, o.waits())
	}
	sent := o.fill(t, 100<<10)
	if got := o.all.owed.Load(); got != int64(o.waits()) {
		t.Errorf("total is %d, want %d", got, o.waits())
	}
	want := len("at once") + sent<<10
	if n, err := io.CopyN(io.Discard, theirs, int64(want)); err != nil {
		t.Fatalf("read %d of %d bytes: %v", n, want, err)
	}
	for !o.idle() {
	}
	if o.waits() != 0 || o.all.owed.Load() != 0 {
		t.Errorf("all is read, yet %d bytes wait, %d in total", o.waits(), o.all.owed.Load())
	}
}

func TestFullOutboxRefusesTheWholeFrame(t *testing.T) {
	o, theirs := newOutbox(t, 64<<10)
	sent := o.fill(t, 60<<10)
	if err := o.send(make([]byte, 8<<10)); !errors.Is(err, errFull) {
		t.Fatalf("over the limit: got %v, want errFull", err)
	}
	go func() { _ = o.close() }()
	got, _ := io.Copy(io.Discard, theirs)
	if got > int64(sent<<10) {
		t.Errorf("%d bytes arrived of %d sent: some of the refused frame", got, sent<<10)
	}
}

func TestFrameLargerThanTheLimitPassesAlone(t *testing.T) {
	o, theirs := newOutbox(t, 4<<10)
	big := bytes.Repeat([]byte("b"), 16<<20) // more than the kernel takes at once
	if err := o.send(big); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(big))
	if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, big) {
		t.Fatalf("big frame: %v", err)
	}
}

func TestFinishFlushesWhatWaitsAndAcceptsNothingAfter(t *testing.T) {
	o, theirs := newOutbox(t, 1<<20)
	sent := o.fill(t, 100<<10)
	if !o.finish([]byte("bye"), false) || o.finish([]byte("again"), false) {
		t.Error("finish must succeed once")
	}
	if err := o.send([]byte("late")); !errors.Is(err, errClosed) {
		t.Errorf("send after finish: got %v, want errClosed", err)
	}
	got := make([]byte, sent<<10+3)
	if _, err := io.ReadFull(theirs, got); err != nil || string(got[sent<<10:]) != "bye" {
		t.Fatalf("%v, the end is %q, want bye", err, got[len(got)-3:])
	}
}

// A client breaks the protocol at the moment at which a drain ends its connection: the one who reads is done first.
func TestCloseFrameGoesOutThoughTheReaderIsDoneBefore(t *testing.T) {
	o, theirs := newOutbox(t, 1<<20)
	o.shutdown()
	o.finish([]byte("bye"), false)
	if got, err := io.ReadAll(theirs); err != nil || string(got) != "bye" {
		t.Errorf("the client read %q, %v, want bye and the end", got, err)
	}
}

func TestFinishThatDropsStaysAtAFrameBoundary(t *testing.T) {
	o, theirs := newOutbox(t, 1<<20)
	sent := o.fill(t, 500<<10)
	o.finish([]byte("bye"), true)
	for !o.idle() {
		_, _ = io.CopyN(io.Discard, theirs, 1) // makes room, byte by byte at first
		break
	}
	got := make([]byte, 1<<20)
	n := 1
	for {
		m, err := theirs.Read(got)
		if err != nil {
			t.Fatal(err)
		}
		n += m
		if bytes.HasSuffix(got[:m], []byte("bye")) {
			break
		}
	}
	if (n-3)%(1<<10) != 0 || n >= sent<<10 {
		t.Errorf("%d bytes before the close frame, of %d sent: want whole frames, and fewer", n-3, sent<<10)
	}
	if o.all.owed.Load() != 0 {
		t.Errorf("%d bytes wait", o.all.owed.Load())
	}
}

func TestCorkHoldsBackUntilUncork(t *testing.T) {
	o, theirs := newOutbox(t, 1<<20)
	o.cork([]byte("hello "))
	for _, s := range []string{"a ", "b "} {
		if err := o.send([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if o.waits() != len([]byte("hello "))+entryOverhead+len([]byte("a "))+entryOverhead+len([]byte("b "))+entryOverhead {
		t.Errorf("%d bytes wait", o.waits())
	}
	o.uncork()
	if err := o.send([]byte("c")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("hello a b c"))
	if _, err := io.ReadFull(theirs, got); err != nil || string(got) != "hello a b c" {
		t.Errorf("got %q %v", got, err)
	}
}

func TestClosedOutboxTouchesNoDescriptor(t *testing.T) {
	o, _ := newOutbox(t, 1<<20)
	o.fill(t, 10<<10)
	if err := o.close(); err != nil {
		t.Fatal(err)
	}
	if err := o.close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := o.send([]byte("x")); !errors.Is(err, errClosed) {
		t.Errorf("send: got %v", err)
	}
	if _, err := o.recv(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("recv: got %v", err)
	}
	for !o.idle() {
	}
	if o.all.owed.Load() != 0 {
		t.Errorf("%d bytes wait", o.all.owed.Load())
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	o, theirs := newOutbox(t, 1<<20)
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	frame := make([]byte, 128)
	if n := testing.AllocsPerRun(100, func() { _ = o.send(frame) }); n > 0 {
		t.Errorf("%v allocations a send, want 0", n)
	}
}

func TestOutboxThatHasMostIsRefusedFirstWhenAllAreFull(t *testing.T) {
	const most = 256 << 10
	big, _ := newOutbox(t, 1<<20)
	small, theirs := newOutbox(t, 1<<20)
	big.all = newBacklog(most)
	small.all = big.all
	frame := bytes.Repeat([]byte("x"), 1<<10)
	var err error
	for err == nil {
		err = big.send(frame)
	}
	if !errors.Is(err, errAllFull) || big.waits() > most/2 {
		t.Fatalf("got %v with %d bytes waiting, want errAllFull with at most half of %d", err, big.waits(), most)
	}
	small.fill(t, 32<<10)
	if err := big.send(frame); !errors.Is(err, errAllFull) {
		t.Errorf("got %v for the outbox that has most, want errAllFull", err)
	}
	if !small.finish([]byte("bye"), false) {
		t.Error("the close frame was refused")
	}
	if got := small.all.kept.Load(); got > most {
		t.Errorf("%d bytes are kept of %d", got, most)
	}
	_ = big.close() // the flusher may see it first
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	for small.all.kept.Load() != 0 {
		runtime.Gosched()
	}
}

func TestWhatWaitsForManyTakesItsMemoryOnce(t *testing.T) {
	const outboxes, size = 10, 8 << 20 // more than a kernel takes
	all := newBacklog(1 << 30)
	q := queued{make([]byte, size), &shared{size: size}}
	var os []*outbox
	for range outboxes {
		o, _ := newOutbox(t, 1<<20)
		o.all = all
		if err := o.sendQueued(q); err != nil {
			t.Fatal(err)
		}
		os = append(os, o)
	}
	if got := all.kept.Load(); got < size || got > size+outboxes*entryOverhead {
		t.Errorf("%d bytes are kept, want %d, and %d for each of %d outboxes", got, size, entryOverhead, outboxes)
	}
	if got := all.owed.Load(); got < 2*size {
		t.Errorf("%d bytes are owed to %d clients, want what each waits for", got, outboxes)
	}
	for _, o := range os {
		_ = o.close() // as above
	}
	for all.kept.Load() != 0 || all.owed.Load() != 0 {
		runtime.Gosched()
	}
}
