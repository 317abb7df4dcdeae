package pubsub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

const secret = "s3cret/p@ss"

func TestNewRefusesBadOptionsAndShowsNoPassword(t *testing.T) {
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"no URL":                {},
		"another scheme":        {URL: "http://u:" + secret + "@h:1"},
		"no path of a socket":   {URL: "unix://u:s3cret@redis.sock"},
		"unescaped password":    {URL: "redis://u:" + secret + "@h:1/0"},
		"bad port":              {URL: "redis://u:s3cret@h:port"},
		"bad database":          {URL: "redis://u:s3cret@h:1/p@ss"},
		"an option":             {URL: "redis://u:s3cret@h:1?password=p@ss"},
		"unverified TLS":        {URL: "rediss://u:s3cret@h:1?skip_verify=true"},
		"authority without TLS": {URL: "redis://h:1", CAFile: noPEM},
		"no such file":          {URL: "rediss://h:1", CAFile: noPEM + "x"},
		"no certificate":        {URL: "rediss://h:1", CAFile: noPEM},
		"timeout too short":     {URL: "redis://h:1", CanaryTimeout: time.Second, CanaryInterval: time.Second},
		"control as a room":     {URL: "redis://h:1", ChannelPrefix: "room:", ControlChannel: "room:control"},
		"control as the prefix": {URL: "redis://h:1", ChannelPrefix: "room:", ControlChannel: "room:"},
		"control, no prefix":    {URL: "redis://h:1", ControlChannel: "control"},
	} {
		_, err := New(o)
		if secrecy.Error(t, err) == nil {
			t.Errorf("%s: New accepted it", name)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "p@ss") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// restrict makes Redis require the user gate with the password secret, who may do what rules say.
func restrict(t *testing.T, c *redis.Client, rules ...any) {
	t.Helper()
	args := append([]any{"ACL", "SETUSER", "gate", "reset", "on", ">" + secret}, rules...)
	if err := c.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
}

// recipe is the least that Options documents.
var recipe = []any{"resetchannels", "&" + prefix + "*", "&" + canaryPrefix + "*", "+subscribe", "+unsubscribe", "+publish"}

func asGate(s *redistest.Server) Options {
	o := fast(s)
	o.Username, o.Password = "gate", secret
	return o
}

func TestTheDocumentedACLIsEnough(t *testing.T) {
	s := redistest.Start(t)
	restrict(t, s.Client(), recipe...)
	inURL := fast(s)
	inURL.URL = "redis://gate:s3cret%2Fp%40ss@" + s.Addr() + "/3"
	inURL.Log = nil
	if _, err := Probe(t.Context(), inURL); err != nil {
		t.Errorf("Probe with the user in the URL: %v", err)
	}
	b, r := run(t, asGate(s))
	subscribe(t, b, "a")
	if err := b.Publish(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message", func() bool { return len(r.got("a")) == 1 })
	b.Unsubscribe("a")
	eventually(t, "left", func() bool { return b.Rooms() == 0 })
}

func TestARoomThatTheACLForbidsFailsAlone(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, "resetchannels", "&"+prefix+"open:*", "&"+canaryPrefix+"*", "+subscribe", "+unsubscribe", "+publish")
	b, _ := run(t, asGate(s))
	ready(t, b)
	var wg sync.WaitGroup
	for i := range 300 {
		room := "open:" + string(rune('a'+i%26)) + time.Duration(i).String()
		wg.Go(func() { subscribe(t, b, room) })
		if i%100 == 50 {
			wg.Go(func() {
				err := b.Subscribe(t.Context(), "shut:"+room)
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "shut:"+room) {
					t.Errorf("Subscribe to a forbidden room: %v, want ErrRefused and its name", err)
				}
			})
		}
	}
	wg.Wait()
	if got := b.Rooms(); got != 300 {
		t.Errorf("Rooms() = %d, want the 300 that are allowed", got)
	}
}

func TestAUserWhoMayNotUnsubscribeStillLeaves(t *testing.T) {
	s := redistest.Start(t)
	restrict(t, s.Client(), "allchannels", "+subscribe", "+publish")
	b, r := run(t, asGate(s))
	subscribe(t, b, "a")
	subscribe(t, b, "b")
	b.Unsubscribe("a")
	eventually(t, "left", func() bool { return b.Rooms() == 1 })
	subscribe(t, b, "a")
	if err := b.Publish(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message", func() bool { return len(r.got("a")) == 1 })
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v: the link did not survive the refusal", got)
	}
}

func TestARefusedCanaryTurnsUnreadyButCostsNoGap(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	o := asGate(s)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "-publish").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unready", func() bool { return b.Ready() != nil })
	if err := b.Ready(); !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("unready for %v, want NOPERM", err)
	}
	time.Sleep(2 * o.CanaryTimeout) // in which a silent link would have ended
	if err := c.Publish(t.Context(), prefix+"a", "x").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message", func() bool { return len(r.got("a")) == 1 })
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v, want none", got)
	}
	restrict(t, c, recipe...)
	ready(t, b)
}

// Redis itself ends the connections of a user who loses a channel.
func TestAHeldRoomThatIsForbiddenLaterGetsOneGapAndComesBack(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	b, r := run(t, asGate(s))
	subscribe(t, b, "a")
	subscribe(t, b, "b")
	ready(t, b)
	restrict(t, c, "resetchannels", "&"+prefix+"a", "&"+canaryPrefix+"*", "+subscribe", "+unsubscribe", "+publish")
	eventually(t, "a gap of both", func() bool { return r.gapsByRoom()["a"] == 1 && r.gapsByRoom()["b"] == 1 })
	if err := b.Subscribe(t.Context(), "b"); !errors.Is(err, ErrRefused) {
		t.Errorf("Subscribe = %v, want ErrRefused", err)
	}
	if got := r.gapsByRoom()["b"]; got != 1 {
		t.Errorf("%d gaps after another refusal, want still 1", got)
	}
	restrict(t, c, recipe...)
	subscribe(t, b, "b") // does not wait for the next try
	if got := r.gapsByRoom()["b"]; got != 2 {
		t.Errorf("%d gaps once it is back, want 2", got)
	}
}

func TestAWrongPasswordIsToldWithoutShowingIt(t *testing.T) {
	s := redistest.Start(t)
	restrict(t, s.Client(), recipe...)
	var text logged
	o := asGate(s)
	o.Password = "wr0ng-passw0rd"
	o.Log = newTextLog(t, &text)
	b, _ := run(t, o)
	eventually(t, "a refusal in Ready", func() bool { return strings.Contains(b.Ready().Error(), "WRONGPASS") })
	eventually(t, "a refusal in the log", func() bool { return strings.Contains(text.String(), "reason=auth") })
	_, err := Probe(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("Probe = %v, want WRONGPASS", err)
	}
	for _, said := range []string{text.String(), b.Ready().Error(), err.Error()} {
		secrecy.Text(t, said)
		if strings.Contains(said, "wr0ng-passw0rd") {
			t.Errorf("the password is shown: %s", said)
		}
	}
}

func TestProbeNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for _, c := range []struct {
		rules []any
		want  string
	}{
		{[]any{"resetchannels", "&" + prefix + "*", "+subscribe", "+unsubscribe", "+publish"}, "publishing to " + canaryPrefix},
		{[]any{"resetchannels", "&" + canaryPrefix + "*", "+subscribe", "+unsubscribe", "+publish"}, "room"},
		{[]any{"allchannels", "+publish"}, "subscribing to " + canaryPrefix},
	} {
		restrict(t, s.Client(), c.rules...)
		if _, err := Probe(t.Context(), asGate(s)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("with %v Probe = %v, want NOPERM and %q", c.rules, err, c.want)
		}
	}
	s.Pause()
	if _, err := Probe(t.Context(), fast(s)); err == nil {
		t.Error("Probe of a stopped Redis returned nil")
	}
	s.Kill()
	if _, err := Probe(t.Context(), fast(s)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Probe = %v, want connection refused", err)
	}
}

func TestRedisOverTLS(t *testing.T) {
	s := redistest.StartTLS(t)
	b, r := run(t, fast(s))
	ready(t, b)
	subscribe(t, b, "a")
	if err := b.Publish(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message", func() bool { return len(r.got("a")) == 1 })
	if err := s.Client().ClientKillByFilter(context.Background(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] == 1 })

	stranger := fast(s)
	stranger.CAFile = ""
	stranger.CanaryTimeout, stranger.Timeout = calm, calm/2 // the system's authorities are read now, which on a busy machine takes a while
	if _, err := Probe(t.Context(), stranger); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Probe without the authority = %v, want a certificate error", err)
	}
}
