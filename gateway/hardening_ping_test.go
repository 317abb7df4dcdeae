package gateway

import (
	"strings"
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

func TestPingsOverTheRateAreCountedAsMessagesAre(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute, o.MessageBurst = 60, 5 })
	c := w.dialV1(w.token("42"))
	for range 20 {
		c.Send(wstest.Ping, nil)
	}
	for {
		if f, err := c.Read(); err != nil || f.CloseCode() == 4101 {
			break
		}
	}
	if got := w.exceededCount(t, limitMessages, "false"); got == 0 {
		t.Error("none is counted")
	}
	if !strings.Contains(w.logs.String(), `"reason":"messages_per_minute"`) {
		t.Error("none is logged")
	}
}

func TestDryRunOfMessagesCoversPings(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessagesPerMinute, o.MessageBurst, o.DryRun = 1, 1, []string{limitMessages} })
	c := w.dialV1(w.token("42"))
	const pings = 20
	for range pings {
		c.Send(wstest.Ping, []byte("x"))
	}
	for i := range pings {
		if f, err := c.Read(); err != nil || f.Op != wstest.Pong {
			t.Fatalf("after %d pongs: got %v, %v, want a pong", i, f, err)
		}
	}
	if would, did := w.exceededCount(t, limitMessages, "true"), w.exceededCount(t, limitMessages, "false"); would == 0 || did != 0 {
		t.Errorf("%v counted as what would be, %v as what was, want some and none", would, did)
	}
}
