package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
)

// said is all that a stream says of b, read in pieces that end at cuts.
func said(b []byte, cuts ...int) (all []string, err error) {
	var s stream
	from := 0
	for _, to := range append(cuts, len(b)) {
		s.in = bytes.Clone(b[from:to]) // so that what is kept of an earlier piece shows
		from = to
		for {
			op, payload, ok, err := s.next()
			if err != nil {
				return all, err
			}
			if !ok {
				break
			}
			if len(payload) > 1000 {
				all = append(all, fmt.Sprintf("%d %d bytes of sum %x", op, len(payload), crc32.ChecksumIEEE(payload)))
			} else {
				all = append(all, fmt.Sprintf("%d %x", op, payload))
			}
		}
	}
	return all, nil
}

func conversation() []byte {
	long := bytes.Repeat([]byte("m"), 300)
	longer := bytes.Repeat([]byte("l"), 70_000)
	return slices.Concat(frame(opText, []byte("one")), frame(opPing, nil), frame(opText, nil), frame(opBinary, long),
		[]byte{opText, 2, 'a', 'b'}, frame(opPing, []byte("within")), []byte{opContinuation, 1, 'c'}, []byte{finBit | opContinuation, 1, 'd'},
		frame(opText, longer), frame(opClose, []byte{0x0f, 0xa2, 'x'}))
}

func TestAStreamIsTheSameHoweverItIsSplit(t *testing.T) {
	b := conversation()
	want, err := said(b)
	if err != nil || len(want) != 8 {
		t.Fatalf("whole: %d messages, %v; want 8", len(want), err)
	}
	if got, want := want[5], fmt.Sprintf("1 %x", "abcd"); got != want {
		t.Errorf("fragments became %q, want %q", got, want)
	}
	for i := range b {
		if i > 400 && i < len(b)-100 && i%20_000 != 0 {
			continue // within the long message
		}
		for _, cuts := range [][]int{{i}, {i, min(i+1, len(b))}, {i, min(i+7, len(b))}} {
			got, err := said(b, cuts...)
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("cut at %v: %d messages, %v; want those of the whole", cuts, len(got), err)
			}
		}
	}
	every := make([]int, 400)
	for i := range every {
		every[i] = i
	}
	if got, err := said(b, every...); err != nil || !slices.Equal(got, want) {
		t.Errorf("byte by byte: %d messages, %v", len(got), err)
	}
}

func TestWhatNoServerMaySendIsRefused(t *testing.T) {
	huge := binary.BigEndian.AppendUint64([]byte{finBit | opText, 127}, messageMost+1)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"masked":                 {[]byte{finBit | opText, maskBit | 1, 0, 0, 0, 0, 'a'}, errProtocol},
		"compressed":             {[]byte{finBit | 0x40 | opText, 1, 'a'}, errProtocol},
		"unknown opcode":         {[]byte{finBit | 3, 0}, errProtocol},
		"unknown control opcode": {[]byte{finBit | 0xB, 0}, errProtocol},
		"ping in fragments":      {[]byte{opPing, 0}, errProtocol},
		"ping of 126 bytes":      {frame(opPing, make([]byte, 126)), errProtocol},
		"nothing to continue":    {frame(opContinuation, nil), errProtocol},
		"a message in another":   {slices.Concat([]byte{opText, 0}, frame(opText, nil)), errProtocol},
		"more than 16 MiB":       {huge, errTooLarge},
		"2^64 bytes":             {binary.BigEndian.AppendUint64([]byte{finBit | opText, 127}, 1<<64-1), errTooLarge},
	} {
		for cut := range c.b {
			if _, err := said(c.b, cut); !errors.Is(err, c.want) {
				t.Errorf("%s, cut at %d: %v, want %v", name, cut, err, c.want)
			}
		}
	}
}

func TestFragmentsDoNotGrowBeyondTheLargestMessage(t *testing.T) {
	part := bytes.Repeat([]byte("x"), messageMost/2)
	more := frame(opContinuation, part)
	more[0] = opContinuation
	first := bytes.Clone(more)
	first[0] = opText
	if _, err := said(slices.Concat(first, more, more)); !errors.Is(err, errTooLarge) {
		t.Errorf("got %v, want %v", err, errTooLarge)
	}
}

// FuzzStream: whatever a server sends, and however it is split, a stream says the same of it as of the whole.
func FuzzStream(f *testing.F) {
	f.Add(conversation()[:600], uint16(3), uint16(10))
	f.Add([]byte{opText, 2, 'a', 'b', finBit | opContinuation, 1, 'c'}, uint16(1), uint16(5))
	f.Add([]byte{finBit | opText, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x'}, uint16(2), uint16(4))
	f.Add([]byte{finBit | opText, 126, 0, 1, 'x', finBit | opPing, 126, 0, 126}, uint16(3), uint16(7))
	f.Fuzz(func(t *testing.T, b []byte, i, j uint16) {
		want, wantErr := said(b)
		first := min(int(i), len(b))
		got, err := said(b, first, min(first+int(j), len(b)))
		if !slices.Equal(got, want) || !errors.Is(err, wantErr) {
			t.Errorf("split: %q, %v; whole: %q, %v", got, err, want, wantErr)
		}
		var each []int
		for n := range min(len(b), 1000) {
			each = append(each, n)
		}
		if got, err := said(b, each...); !slices.Equal(got, want) || !errors.Is(err, wantErr) {
			t.Errorf("byte by byte: %q, %v; whole: %q, %v", got, err, want, wantErr)
		}
	})
}
