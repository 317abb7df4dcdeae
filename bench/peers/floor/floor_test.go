//go:build linux

package floor

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMessagesComeWholeHoweverRedisSplitsThem(t *testing.T) {
	stream := "*3\r\n$9\r\nsubscribe\r\n$6\r\nroom:a\r\n:1\r\n" +
		"*3\r\n$7\r\nmessage\r\n$6\r\nroom:a\r\n$5\r\none\r\n\r\n" +
		"*3\r\n$7\r\nmessage\r\n$7\r\nroom:bb\r\n$0\r\n\r\n" +
		"*3\r\n$7\r\nmessage\r\n$6\r\nroom:a\r\n$3\r\ntwo\r\n"
	want := []string{"a=one\r\n", "bb=", "a=two"}
	for at := 1; at < len(stream); at++ {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		s := subscription{fd: pair[0]}
		for _, part := range []string{stream[:at], stream[at:]} {
			if _, err := unix.Write(pair[1], []byte(part)); err != nil {
				t.Fatal(err)
			}
			if err := s.read(func(room, payload []byte) { got = append(got, fmt.Sprintf("%s=%s", room, payload)) }); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = unix.Close(pair[0]), unix.Close(pair[1])
		if !slices.Equal(got, want) {
			t.Fatalf("split at %d: got %q, want %q", at, got, want)
		}
		if len(s.in) != 0 {
			t.Fatalf("split at %d: %q is left", at, s.in)
		}
	}
}

func TestHeadersSayTheLength(t *testing.T) {
	for _, c := range []struct {
		n    int
		want string
	}{{0, "8100"}, {125, "817d"}, {126, "817e007e"}, {65535, "817effff"}, {65536, "817f0000000000010000"}} {
		if got := fmt.Sprintf("%x", appendHeader(nil, c.n)); got != c.want {
			t.Errorf("header of %d bytes: got %s, want %s", c.n, got, c.want)
		}
	}
}
