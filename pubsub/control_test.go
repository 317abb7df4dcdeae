package pubsub

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

const control = "roomgate:control"

func withControl(s *redistest.Server) Options {
	o := fast(s)
	o.ControlChannel = control
	return o
}

func TestAControlMessageArrivesUnchangedAndInNoRoom(t *testing.T) {
	s := redistest.Start(t)
	b, r := run(t, withControl(s))
	backend := s.Client()
	subscribe(t, b, control) // a room of the name is another channel
	subscribe(t, b, "a")
	for _, message := range []struct{ channel, payload string }{
		{control, "\x00\xffone"}, {prefix + control, "in the room"}, {prefix + "a", "in a"}, {control, ""}, {control + "x", "no"},
	} {
		if err := backend.Publish(t.Context(), message.channel, message.payload).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "two control messages", func() bool { return len(r.controls()) == 2 })
	if got, want := r.controls(), []string{"\x00\xffone", ""}; !slices.Equal(got, want) {
		t.Errorf("control got %q, want %q", got, want)
	}
	if got, want := r.got(control), []string{"in the room"}; !slices.Equal(got, want) {
		t.Errorf("the room %s got %q, want %q", control, got, want)
	}
	if got, want := r.got("a"), []string{"in a"}; !slices.Equal(got, want) {
		t.Errorf("room a got %q, want %q", got, want)
	}
	if got := b.Rooms(); got != 2 {
		t.Errorf("Rooms() = %d, want 2: the control channel is none", got)
	}
}

func TestControlCostsNoCommandOfItsOwn(t *testing.T) {
	s := redistest.Start(t)
	b, _ := run(t, withControl(s))
	ready(t, b)
	if got := calls(t, s.Client(), "subscribe"); got != 1 {
		t.Errorf("%d SUBSCRIBE, want 1 for canary and control", got)
	}
}

func TestWithoutAControlChannelNothingIsControl(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.ChannelPrefix = ""
	b, r := run(t, o)
	subscribe(t, b, control)
	subscribe(t, b, "")
	for _, channel := range []string{control, ""} {
		if err := s.Client().Publish(t.Context(), channel, "x").Err(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a message", func() bool { return len(r.got(channel)) == 1 })
	}
	if got := r.controls(); len(got) != 0 {
		t.Errorf("control got %q, want nothing", got)
	}
}

func TestControlSurvivesAReconnect(t *testing.T) {
	s := redistest.Start(t)
	o := withControl(s)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	backend := s.Client()
	if err := backend.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gap", func() bool { return r.gapsByRoom()["a"] == 1 })
	// A gap is told once all is subscribed that was, and control before that.
	if err := backend.Publish(t.Context(), control, "again").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a control message", func() bool { return slices.Equal(r.controls(), []string{"again"}) })
	s.Restart()
	eventually(t, "another gap", func() bool { return r.gapsByRoom()["a"] == 2 })
	if err := s.Client().Publish(t.Context(), control, "after a restart").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another control message", func() bool { return len(r.controls()) == 2 })
}

func TestAControlChannelThatTheACLForbidsIsNamed(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	o := asGate(s)
	o.ControlChannel = control
	const want = "subscribing to the control channel " + control + ": NOPERM"
	if _, err := Probe(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Probe = %v, want %s", err, want)
	}
	var text logged
	o.Log = newTextLog(t, &text)
	b, r := run(t, o)
	eventually(t, "the channel in Ready", func() bool { err := b.Ready(); return err != nil && strings.Contains(err.Error(), want) })
	eventually(t, "the channel in the log", func() bool { return strings.Contains(text.String(), want) })
	if !strings.Contains(text.String(), "reason=refused") {
		t.Errorf("the log does not say refused:\n%s", text.String())
	}

	restrict(t, c, append(slices.Clone(recipe), "&"+control)...)
	ready(t, b)
	if err := c.Publish(t.Context(), control, "x").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a control message", func() bool { return len(r.controls()) == 1 })
	if _, err := Probe(t.Context(), o); err != nil {
		t.Errorf("Probe = %v, want nil", err)
	}

	restrict(t, c, "resetchannels", "&"+prefix+"*", "&"+control, "+subscribe", "+unsubscribe", "+publish")
	const canary = "subscribing to " + canaryPrefix
	eventually(t, "the canary, when that is what is forbidden", func() bool {
		err := b.Ready()
		return err != nil && strings.Contains(err.Error(), canary)
	})
}
