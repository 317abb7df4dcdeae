package gateway

import (
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

// Control frames may come between the fragments of a message, where the library answers them.
func TestPingFloodWithinAMessageIsHeldToTheRateToo(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute, o.MessageBurst = 60, 5 })
	c := w.dialV1(w.token("42"))
	b := wstest.AppendFrame(nil, 0x01, []byte(`{`))
	for range 100 {
		b = wstest.AppendFrame(b, 0x89, []byte("x"))
	}
	c.Raw(wstest.AppendFrame(b, 0x80, []byte(`}`)))
	for pongs := 0; ; {
		f, err := c.Read()
		if err != nil || f.CloseCode() == 4101 {
			return
		}
		if f.Op == wstest.Pong {
			pongs++
		}
		if pongs > 20 || f.Op == wstest.Text {
			t.Fatalf("%d pings within a message were answered, and then came %v; want at most the burst of 5, and then close 4101", pongs, f)
		}
	}
}
