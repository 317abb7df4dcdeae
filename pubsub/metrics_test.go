package pubsub

import (
	"errors"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// What Redis refuses for one room, or for the canary alone, ends no connection: only these tell.
func TestARoomAndACanaryThatRedisRefusesAreCounted(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, "resetchannels", "&"+prefix+"a", "&"+canaryPrefix+"*", "+subscribe", "+unsubscribe", "+publish")
	o := asGate(s)
	o.CanaryTimeout = calm
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, _ := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	const refused, errored = "roomgate_redis_rooms_refused_total", "roomgate_redis_canary_errors_total"
	if r, e := count(t, reg, refused, ""), count(t, reg, errored, ""); r != 0 || e != 0 {
		t.Errorf("at the start %v rooms were refused and %v canaries failed, want 0", r, e)
	}
	if err := b.Subscribe(t.Context(), "b"); !errors.Is(err, ErrRefused) {
		t.Fatalf("Subscribe = %v, want ErrRefused", err)
	}
	if got := count(t, reg, refused, ""); got != 1 {
		t.Errorf("%v rooms were refused, want 1", got)
	}
	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "-publish").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a canary that fails", func() bool { return count(t, reg, errored, "") > 0 })
	if got := count(t, reg, "roomgate_redis_reconnects_total", string(reasonRefused)); got != 0 {
		t.Errorf("%v links were refused, want 0: it is the canary alone", got)
	}
}

// A password that was changed ends no connection that there is: the canary goes over the old one.
func TestACanaryOverTheOldConnectionCountsAsAnError(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	c := s.Client()
	restrict(t, c, recipe...)
	o := asGate(s)
	o.CanaryTimeout = calm
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, _ := run(t, o)
	ready(t, b)
	const next = "one-m0re-passw0rd"
	secrecy.Secret(next)
	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "resetpass", ">"+next).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a canary that counts as an error", func() bool { return count(t, reg, "roomgate_redis_canary_errors_total", "") > 0 })
	if err := b.Ready(); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
}
