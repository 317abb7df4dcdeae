package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roomgate/roomgate/internal/wstest"
)

// A client's bytes come in pieces of the network's choosing, and between any two of them the
// connection may have been parked. What is answered must not depend on it.

// An exchange is what a client sends at a frame boundary, and what it gets back.
type exchange struct {
	name   string
	frames [][]byte
	gets   string // a line each; "": nothing
}

func exchanges() []exchange {
	one := func(first byte, s string) [][]byte { return [][]byte{wstest.AppendFrame(nil, first, []byte(s))} }
	long := strings.Repeat(" ", 300) // a length in two bytes, and more than the read buffer
	fragments := slices.Concat(one(0x01, `{"type":`), one(0x89, "between"), one(0x80, `"ping","ref":3}`))
	return []exchange{
		{"pong", one(0x8A, ""), ""},
		{"pong with payload", one(0x8A, "life"), ""},
		{"ping", one(0x89, ""), "pong "},
		{"ping with the longest payload", one(0x89, strings.Repeat("p", 125)), "pong " + strings.Repeat("p", 125)},
		{"message", one(0x81, `{"type":"ping","ref":1}`), `{"type":"pong","ref":1}`},
		{"long message", one(0x81, `{"type":"ping","ref":2}`+long), `{"type":"pong","ref":2}`},
		{"fragments with a ping between", fragments, "pong between\n" + `{"type":"pong","ref":3}`},
	}
}

// A splitClient sends in pieces, each of which the gateway has read before the next.
type splitClient struct {
	*wstest.Client
	w *world
	c *conn // its other end
}

func newSplitClient(w *world) *splitClient {
	s := &splitClient{Client: w.dialV1(w.token("42")), w: w, c: w.all()[0]}
	s.awaitParked()
	return s
}

func (s *splitClient) awaitParked() {
	s.w.t.Helper()
	s.w.await("parked", s.c.parked.Load)
}

// send sends b in pieces that end at cuts.
func (s *splitClient) send(b []byte, cuts ...int) {
	s.w.t.Helper()
	from := 0
	for _, to := range append(cuts, len(b)) {
		s.Raw(b[from:to])
		s.w.await("the piece is read", func() bool { return s.unread() == 0 })
		from = to
	}
}

// unread is how many bytes wait for the gateway in the kernel.
func (s *splitClient) unread() (n int) {
	err := s.c.out.use(func() (err error) {
		n, err = unix.IoctlGetInt(int(s.c.out.sock.fd), unix.TIOCINQ)
		return err
	})
	if err != nil {
		s.w.t.Fatal(err)
	}
	return n
}

// want expects the answers to e.
func (s *splitClient) want(e exchange) {
	s.w.t.Helper()
	if e.gets == "" {
		return
	}
	for want := range strings.SplitSeq(e.gets, "\n") {
		f, err := s.Read()
		if err != nil {
			s.w.t.Fatalf("%s: %v, want %q", e.name, err, want)
		}
		got := string(f.Payload)
		if f.Op == wstest.Pong {
			got = "pong " + got
		}
		if got != want {
			s.w.t.Fatalf("%s: got %q, want %q", e.name, got, want)
		}
	}
}

func TestFrameIsAnsweredHoweverItIsSplit(t *testing.T) {
	w := newWorld(t, nil)
	s := newSplitClient(w)
	for _, e := range exchanges() {
		sends := bytes.Join(e.frames, nil)
		for cut := 1; cut < len(sends); cut++ {
			at := exchange{name: fmt.Sprintf("%s, cut at %d", e.name, cut), gets: e.gets}
			s.awaitParked()
			s.send(sends, cut)
			s.want(at)
		}
	}
	s.awaitParked() // and not lost: it still gets what is published
	w.publishText("42", "1")
	s.WantText(`{"type":"message","room":"42","data":1}`)
}

// FuzzSplits sends exchanges of the input's choice, cut where it says.
func FuzzSplits(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6}, []byte{1, 2, 3, 200, 1})
	f.Add([]byte{6, 6}, bytes.Repeat([]byte{1}, 40))
	all := exchanges()
	f.Fuzz(func(t *testing.T, choices, steps []byte) {
		w := newWorld(t, nil)
		s := newSplitClient(w)
		var sends []byte
		chosen := choices[:min(len(choices), 10)]
		for _, i := range chosen {
			sends = append(sends, bytes.Join(all[int(i)%len(all)].frames, nil)...)
		}
		var cuts []int
		at := 0
		for _, step := range steps[:min(len(steps), 50)] {
			if at += int(step) + 1; at >= len(sends) {
				break
			}
			cuts = append(cuts, at)
		}
		s.send(sends, cuts...)
		for _, i := range chosen {
			s.want(all[int(i)%len(all)])
		}
		s.awaitParked()
		s.Drop()
	})
}
