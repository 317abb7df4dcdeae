package nowait

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair returns two ends of a TCP connection, the first as Wrap gives it.
func pair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	theirs, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours = Wrap(nc)
	t.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return ours, theirs
}

func TestReadWaitsForWhatComesAndThenForTheEnd(t *testing.T) {
	ours, theirs := pair(t)
	go func() {
		_, _ = io.WriteString(theirs, "hello") // what fails here is missing there
		theirs.Close()
	}()
	if b, err := io.ReadAll(ours); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v, want hello and the end", b, err)
	}
}

func TestReadKeepsItsDeadline(t *testing.T) {
	ours, _ := pair(t)
	if err := ours.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := ours.Read(make([]byte, 1))
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestWriteWaitsForRoomAndSendsAllInOrder(t *testing.T) {
	ours, theirs := pair(t)
	want := make([]byte, 16<<20) // more than the kernel holds
	for i := range want {
		want[i] = byte(i % 251)
	}
	wrote := make(chan error, 1)
	go func() {
		n, err := ours.Write(want)
		if n != len(want) {
			err = errors.Join(err, fmt.Errorf("%d bytes were sent of %d", n, len(want)))
		}
		ours.Close()
		wrote <- err
	}()
	got, err := io.ReadAll(theirs)
	if err := errors.Join(err, <-wrote); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v; %d bytes came, want the %d that were written", err, len(got), len(want))
	}
}

func TestWriteKeepsItsDeadline(t *testing.T) {
	ours, _ := pair(t)
	if err := ours.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := ours.Write(make([]byte, 64<<20)) // which nobody reads
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 64<<20 {
		t.Errorf("%d bytes and %v, want some and a timeout", n, err)
	}
}

func TestCloseEndsARead(t *testing.T) {
	ours, _ := pair(t)
	ended := make(chan error)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		ended <- err
	}()
	ours.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want that it is closed", err)
	}
}

func TestWhatIsNoTCPConnectionStaysAsItIs(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	defer a.Close()
	if Wrap(a) != a {
		t.Error("a pipe became something else")
	}
}
