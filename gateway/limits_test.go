package gateway

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// exceededCount is how often a limit was exceeded, by the metric.
func (w *world) exceededCount(t *testing.T, limit string, dry string) float64 {
	return counterValue(t, w.metrics.limits.WithLabelValues(limit, dry))
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.ConnectionsPerAddress = 2 })
	a := w.dialV1(w.token("42"))
	w.dialV1(w.token("42"))
	if r := w.wantStatus("?token="+w.token("42"), 429); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	a.Drop()
	w.await("its place", func() bool { return w.admitted.Load() == 1 })
	w.dialV1(w.token("42"))
}

func TestConnectionsOfOneUserAreLimited(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.ConnectionsPerUser = 2 })
	a := w.dialV1(w.token("42"))
	w.dialV1(w.token("42"))
	wstest.Dial(t, w.url, "Authorization: Bearer "+w.token("42")).WantClose(4006)
	other := w.dialV1(w.tokenWith(map[string]any{"sub": "u2"}))
	other.SendText(`{"type":"ping"}`)
	other.WantType("pong")
	a.Drop()
	w.await("its place", func() bool { return w.Connections() == 2 })
	w.dialV1(w.token("42"))
}

func TestHandshakesOfOneAddressAreLimited(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.HandshakesPerAddress = 3 })
	for range 3 {
		w.dialV1(w.token("42")).Drop()
	}
	w.wantStatus("?token="+w.token("42"), 429)
}

func TestTooManyRefusedTokensStopVerification(t *testing.T) {
	b := &brokenTokens{}
	w := newWorld(t, func(o *Options) { b.Tokens, o.Tokens, o.FailedTokensPerAddress = o.Tokens, b, 3 })
	for range 3 {
		wstest.Dial(t, w.url, "Authorization: Bearer x").WantClose(4002)
	}
	b.broken.Store(true) // verifying panics from now on
	w.wantStatus("?token="+w.token("42"), 429)
	b.broken.Store(false)
}

func TestRefusedTokensInMessagesCountToo(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FailedTokensPerAddress = 3 })
	c := w.dialV1(w.token("42"))
	for range 3 {
		c.SendText(`{"type":"auth","token":"x"}`)
		c.WantType("error")
	}
	c.SendText(`{"type":"auth","token":"x"}`)
	c.WantClose(4101)
}

func TestRefusedTokensOfNeighboursEndNobodyWhoRefreshes(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FailedTokensPerAddress = 3 })
	honest, late, guessing := w.dialV1(w.token("42")), w.dialUnauthorized(""), w.dialV1(w.token("42"))
	for range 3 {
		wstest.Dial(t, w.url, "Authorization: Bearer x").WantClose(4002)
	}
	w.wantStatus("?token="+w.token("42"), 429)
	for range 2 {
		honest.SendText(`{"type":"auth","token":"` + w.token("42") + `"}`)
		honest.WantType("hello")
	}
	late.SendText(`{"type":"auth","token":"` + w.token("42") + `"}`) // who has no session yet is a stranger
	late.WantClose(4101)
	guessing.SendText(`{"type":"auth","token":"x"}`)
	guessing.WantClose(4101)
	honest.SendText(`{"type":"ping"}`)
	honest.WantType("pong")
}

func TestSubscribesAreLimited(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.SubscribesPerMinute = 2 })
	c := w.dialV1(w.tokenWith(map[string]any{"rooms": "**"}))
	for i := range 2 {
		c.SendText(fmt.Sprintf(`{"type":"subscribe","room":"r%d"}`, i))
		c.WantType("subscribed")
	}
	c.SendText(`{"type":"subscribe","room":"r3","ref":3}`)
	if e := c.WantType("error"); e["code"] != "rate_limited" || e["ref"] != 3.0 {
		t.Errorf("got %v", e)
	}
}

func TestMaximumAgeTellsTheClientToReconnect(t *testing.T) {
	inFakeTime(t, func(o *Options) { o.ConnectionAge = 5 * time.Minute }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		start := time.Now()
		c := dial(v1, "Authorization: Bearer "+w.token("42"))
		c.WantType("hello")
		if m := c.WantType("bye"); m["code"] != 4203.0 {
			t.Errorf("got %v", m)
		}
		c.WantClose(4203)
		if d := time.Since(start); d < 270*time.Second || d > 330*time.Second+2*wheelTick {
			t.Errorf("after %v, want 5 minutes, 10 %% more or less", d)
		}
	})
}

func TestDryRunCountsAndRefusesNobody(t *testing.T) {
	w := newWorld(t, func(o *Options) {
		o.ConnectionsPerAddress, o.ConnectionsPerUser, o.HandshakesPerAddress, o.FailedTokensPerAddress = 1, 1, 1, 1
		o.MessagesPerMinute, o.MessageBurst, o.SubscribesPerMinute, o.RoomsPerConnection, o.MessageBytes = 1, 1, 1, 1, 100
		o.ConnectsPerSecond = 1
		o.DryRun = []string{limitConnects, limitPerAddress, limitPerUser, limitHandshakes, limitFailures, limitMessages, limitSubscribes, limitRooms, limitBytes}
	})
	w.useUpConnects()
	for range 2 {
		wstest.Dial(t, w.url, "Authorization: Bearer x").WantClose(4002)
	}
	w.dialV1(w.token("42"))
	c := w.dialV1(w.tokenWith(map[string]any{"rooms": "**"}))
	for i := range 3 {
		c.SendText(fmt.Sprintf(`{"type":"subscribe","room":"r%d","pad":"%s"}`, i, strings.Repeat("x", 200)))
		c.WantType("subscribed")
	}
	for _, limit := range w.opts().DryRun {
		if w.exceededCount(t, limit, "true") == 0 {
			t.Errorf("%s was exceeded, and is not counted", limit)
		}
		if w.exceededCount(t, limit, "false") != 0 {
			t.Errorf("%s is counted as having refused", limit)
		}
	}
}

func TestDefaultAddressLimitsSpareProxiesThatAreNotTrusted(t *testing.T) {
	for addr, want := range map[string]int{
		"127.0.0.1": 0, "10.1.2.3": 0, "192.168.1.1": 0, "fd00::1": 0, "::1": 0,
		"8.8.8.8": 7, "2a00::1": 7,
	} {
		if got := perAddress(0, 7, netip.MustParseAddr(addr)); got != want {
			t.Errorf("default for %s is %d, want %d", addr, got, want)
		}
		if got := perAddress(3, 7, netip.MustParseAddr(addr)); got != 3 {
			t.Errorf("limit for %s is %d, want the one that is set", addr, got)
		}
		if got := perAddress(-1, 7, netip.MustParseAddr(addr)); got != 0 {
			t.Errorf("limit for %s is %d, want none", addr, got)
		}
	}
}

func TestAddressesStayBoundedHoweverManyCome(t *testing.T) {
	var a addresses
	l := perMinute(10)
	for i := range 20 * addressesMost {
		addr := netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
		a.handshake(addr, l, int64(i))
		a.failed(addr, l, int64(i))
		a.enter(addr)
		a.leave(addr)
	}
	if got := len(a.recent) + len(a.older); got > 2*addressesMost {
		t.Errorf("%d addresses are remembered, want at most %d", got, 2*addressesMost)
	}
	if len(a.open) != 0 {
		t.Errorf("%d addresses count as connected", len(a.open))
	}
}

func TestNeighboursOfOneIPv6SiteShareALimit(t *testing.T) {
	if site(netip.MustParseAddr("2001:db8::1")) != site(netip.MustParseAddr("2001:db8::ffff:1")) {
		t.Error("two addresses of one /64 are counted apart")
	}
	if site(netip.MustParseAddr("2001:db8::1")) == site(netip.MustParseAddr("2001:db8:0:1::1")) {
		t.Error("two /64 are counted as one")
	}
}

func TestReloadReplacesSettingsOfLiveConnections(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("1", "2"))
	o := w.opts().Options
	o.RoomsPerConnection, o.Origins = 2, []string{"https://example.com"}
	if err := w.Reload(o); err != nil {
		t.Fatal(err)
	}
	c.SendText(`{"type":"auth","token":"` + w.token("**") + `"}`)
	c.WantType("hello")
	c.SendText(`{"type":"subscribe","room":"3"}`)
	if e := c.WantType("error"); e["code"] != "too_many_rooms" {
		t.Errorf("got %v", e)
	}
	w.wantStatus("?token="+w.token("1"), 403, "Origin: https://other.com")
	o.Origins = []string{"nonsense"}
	if err := w.Reload(o); err == nil {
		t.Error("a bad origin was taken")
	}
	wstest.Dial(t, w.url+"?token="+w.token("1"), "Origin: https://example.com")
}
