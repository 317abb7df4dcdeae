package load

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
)

// A message is a JSON string, so that it passes through any envelope, spliced or escaped:
//
//	"rgb1:<run>:<room>:<number>:<nanoseconds>:xxxx…"
//
// run, room and number are 8 digits of hexadecimal, nanoseconds 16: when it was published.
const (
	prefix    = "rgb1:"
	markerLen = len(prefix) + 8 + 1          // with the run
	stampLen  = 8 + 1 + 8 + 1 + 16           // what follows it
	MinSize   = 1 + markerLen + stampLen + 2 // bytes of the smallest message: quotes, and a colon at the end
)

// A stamp is what a message says of itself.
type stamp struct {
	room, number uint32
	at           int64 // Unix nanoseconds
}

// newMarker returns how each message of a new run begins, after the quote.
func newMarker() string {
	run := make([]byte, 4)
	_, _ = rand.Read(run) // never fails
	return prefix + hex.EncodeToString(run) + ":"
}

// newPayload returns a message of size bytes without its stamp.
func newPayload(marker string, size int) []byte {
	b := bytes.Repeat([]byte("x"), size)
	b[0], b[size-1] = '"', '"'
	copy(b[1:], marker)
	b[1+markerLen+8], b[1+markerLen+17], b[1+markerLen+stampLen] = ':', ':', ':'
	return b
}

// put writes s into a message of newPayload.
func (s stamp) put(payload []byte) {
	b := payload[1+markerLen:]
	putHex(b[:8], uint64(s.room))
	putHex(b[9:17], uint64(s.number))
	putHex(b[18:34], uint64(s.at))
}

// parseStamp reads what follows a marker.
func parseStamp(b []byte) (s stamp, ok bool) {
	room, ok1 := parseHex(b[:8])
	number, ok2 := parseHex(b[9:17])
	at, ok3 := parseHex(b[18:34])
	return stamp{uint32(room), uint32(number), int64(at)}, ok1 && ok2 && ok3
}

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[v&0xf]
		v >>= 4
	}
}

// digits has the value of each hexadecimal digit that putHex writes, and else 0xff.
var digits = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for v, d := range "0123456789abcdef" {
		t[d] = byte(v)
	}
	return t
}()

func parseHex(b []byte) (v uint64, ok bool) {
	var seen byte
	for _, d := range b {
		n := digits[d]
		seen |= n
		v = v<<4 | uint64(n&0xf)
	}
	return v, seen <= 0xf
}
