//go:build linux

package chaos

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// makeMessage makes the payload of message n: {"n":12,"at":1767225600123456}, at in microseconds
// since 1970, and longer by pad bytes.
func makeMessage(n, pad int) []byte {
	b := append([]byte(`{"n":`), strconv.Itoa(n)...)
	b = strconv.AppendInt(append(b, `,"at":`...), time.Now().UnixMicro(), 10)
	if pad > 0 {
		b = append(append(append(b, `,"pad":"`...), strings.Repeat("x", pad)...), '"')
	}
	return append(b, '}')
}

// parseMessage undoes makeMessage. It does not look at what pads.
func parseMessage(b []byte) (n int, at int64, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(`{"n":`))
	if !ok {
		return 0, 0, false
	}
	number, rest, _ := bytes.Cut(rest, []byte(`,"at":`))
	end := bytes.IndexAny(rest, ",}")
	if end < 0 {
		return 0, 0, false
	}
	n, err := strconv.Atoi(string(number))
	if err != nil {
		return 0, 0, false
	}
	at, err = strconv.ParseInt(string(rest[:end]), 10, 64)
	return n, at, err == nil
}
