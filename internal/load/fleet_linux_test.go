package load

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lookUntil lets clients look until ok, which must come soon.
func (c *Clients) lookUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if err := c.look(t.Context()); err != nil || time.Now().After(deadline) {
			t.Fatalf("%s: not within 10s, %v", what, err)
		}
	}
}

func (c *Clients) cameAll(want int64) func() bool {
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.run.delivered == want
	}
}

// A socket is told of once for what has come: who does not read it empty must remember it.
func TestASocketThatIsNotReadEmptyIsReadOn(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 2, 1))
	c.run = &run{any: true}
	c.fleet.(*tickingFleet).buf = make([]byte, 16)
	for range 3 {
		if err := s.send("bench-0", -1, frame(opText, make([]byte, 1000))); err != nil {
			t.Fatal(err)
		}
	}
	c.lookUntil(t, "6 messages", c.cameAll(6))
}

// The end that comes right behind a message is told of together with it.
func TestAnEndBehindTheLastMessageIsSeen(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 2, 1))
	c.run = &run{any: true}
	err := s.send("bench-0", 1, frame(opText, []byte("the last")))
	s.mu.Lock()
	s.members["bench-0"][1].Close()
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	both := []unix.PollFd{}
	for _, fd := range c.fleet.(*tickingFleet).fds {
		both = append(both, unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP})
	}
	if n, err := unix.Poll(both, 10_000); n != 1 { // so that the first look finds both
		t.Fatalf("%d sockets have ended, %v", n, err)
	}
	c.lookUntil(t, "an end", func() bool { return c.Len() == 1 })
	if !c.cameAll(1)() {
		t.Errorf("%d messages came, want the last", c.run.delivered)
	}
}

// A client's part of a message, from its socket to the counts, which is what a server is measured beside.
func TestAFrameThatIsReadAllocatesNothing(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 3, 1))
	c.run = &run{marker: newMarker(), size: 128}
	var number uint32
	sent := func() {
		var frames []byte
		for range 4 { // in one read
			payload := newPayload(c.run.marker, 128)
			stamp{number: number, at: 1}.put(payload)
			number++
			frames = append(frames, frame(opText, payload)...)
		}
		if err := s.send("bench-0", -1, frames); err != nil {
			t.Fatal(err)
		}
	}
	look := func() {
		want := c.run.delivered + 3*4
		for c.run.delivered < want {
			if err := c.fleet.look(); err != nil {
				t.Fatal(err)
			}
		}
	}
	without := testing.AllocsPerRun(100, sent)
	all, took := c.cameAll(int64(3*number)), time.Now()
	for !all() && time.Since(took) < 10*time.Second {
		if err := c.fleet.look(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { sent(); look() }) - without; n > 0 {
		t.Errorf("%v allocations for 12 frames that come, want 0", n)
	}
	if r := c.run; r.missing > 0 || r.duplicated > 0 || r.delivered != int64(3*number) {
		t.Errorf("%d of %d came, %d missing, %d duplicated", r.delivered, 3*number, r.missing, r.duplicated)
	}
}
