package pubsub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// fastAt is fast for a Redis at url.
func fastAt(url string) Options {
	return Options{
		URL: url, ChannelPrefix: prefix, LeaveDelay: 50 * time.Millisecond,
		CanaryInterval: 100 * time.Millisecond, CanaryTimeout: 700 * time.Millisecond, Timeout: 2 * time.Second,
	}
}

// calm is a CanaryTimeout that no busy machine makes a link silent for.
const calm = time.Minute

// backendSays publishes as a backend does, at the server of c, until the message arrives: on a busy machine the link
// may just be a new one.
func backendSays(t *testing.T, c redis.Cmdable, r *recorder, room, payload string) {
	t.Helper()
	sayUntilHeard(t, r, room, payload, func() error { return c.Publish(t.Context(), prefix+room, payload).Err() })
}

// publishSoon publishes through b until that works and the message arrives.
func publishSoon(t *testing.T, b *Broker, r *recorder, room, payload string) {
	t.Helper()
	sayUntilHeard(t, r, room, payload, func() error { return b.Publish(t.Context(), room, []byte(payload)) })
}

func sayUntilHeard(t *testing.T, r *recorder, room, payload string, say func() error) {
	t.Helper()
	const attention = 500 * time.Millisecond
	eventually(t, "message "+payload, func() bool {
		if say() != nil {
			return false
		}
		for end := time.Now().Add(attention); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
			if slices.Contains(r.got(room), payload) {
				return true
			}
		}
		return false
	})
}

func TestAFailoverBySentinelMovesTheLinkAndThePublishers(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	o := fastAt(g.URL())
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	publishSoon(t, b, r, "a", "before")
	if got := count(t, reg, "roomgate_redis_sentinels", ""); got != 3 {
		t.Errorf("roomgate_redis_sentinels is %v, want 3", got)
	}
	old := g.Master()
	old.Kill()
	master := g.AwaitMaster(old)
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] > 0 })
	backendSays(t, master.Client(), r, "a", "by a backend")
	publishSoon(t, b, r, "a", "by a client")
	ready(t, b)
}

// The old master answers nothing and closes nothing, as one that the network cut off. Only the Sentinels know.
func TestAMasterThatWasReplacedIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	o := fastAt(g.URL())
	o.CanaryTimeout = calm // the canary is not to find it
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	old := g.Master()
	old.Pause()
	master := g.AwaitMaster(old)
	eventually(t, "demoted", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "demoted") == 1 })
	eventually(t, "a gap", func() bool { return r.gapsByRoom()["a"] == 1 })
	publishSoon(t, b, r, "a", "at the new master")

	old.Resume() // now it believes that it is a master, until the Sentinels tell it otherwise
	backendSays(t, master.Client(), r, "a", "while there are two")
	publishSoon(t, b, r, "a", "while there are two, by a client")
	c := old.Client()
	eventually(t, "the old master a replica", func() bool { return errors.Is(checkRole(context.Background(), c), errReplica) })
	publishSoon(t, b, r, "a", "at the end")
	if got := r.gapsByRoom()["a"]; got != 1 {
		t.Errorf("%d gaps, want 1", got)
	}
}

func TestWithFewSentinelsTheLinkStaysAndNoNewOneIsMade(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	o := fastAt(g.URL())
	o.CanaryTimeout = calm
	var text logged
	reg := secrecy.Registry(t)
	o.Metrics, o.Log = reg, newTextLog(t, &text)
	b, r := run(t, o)
	subscribe(t, b, "a")
	ready(t, b)
	for _, s := range g.Sentinels()[:2] {
		s.Kill()
	}
	eventually(t, "a metric", func() bool { return count(t, reg, "roomgate_redis_sentinels", "") == 1 })
	eventually(t, "a line", func() bool { return strings.Contains(text.String(), "redis sentinels do not say where the master is") })
	backendSays(t, g.Servers()[0].Client(), r, "a", "still here")
	if err := b.Ready(); err != nil {
		t.Errorf("Ready() = %v, want nil: Redis delivers", err)
	}
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("gaps %v, want none", got)
	}
	if _, err := Probe(t.Context(), fastAt(g.URL())); !errors.Is(err, errFewSentinels) {
		t.Errorf("Probe = %v, want %v", err, errFewSentinels)
	}
	g.Sentinels()[0].Restart()
	eventually(t, "another line", func() bool { return strings.Contains(text.String(), "redis sentinels answer again") })
}

func TestSentinelsThatKnowNoSuchMasterSayIt(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	o := fastAt(strings.Replace(g.URL(), "/mymaster", "/another", 1))
	if _, err := Probe(t.Context(), o); err == nil || !strings.Contains(err.Error(), "know no master of the name") {
		t.Errorf("Probe = %v, want that there is no such master", err)
	}
	o = fastAt("redis://" + g.Sentinels()[0].Addr())
	if _, err := Probe(t.Context(), o); !errors.Is(err, errIsSentinel) {
		t.Errorf("Probe of a Sentinel as a Redis = %v, want %v", err, errIsSentinel)
	}
}

func TestSentinelsAndTheMasterHaveUsersOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t)
	const watching = "s3ntinel/p@ss"
	secrecy.Secret(watching)
	for _, s := range g.Sentinels() {
		err := s.Client().Do(t.Context(), "ACL", "SETUSER", "watcher", "reset", "on", ">"+watching, "+sentinel|get-master-addr-by-name").Err()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range g.Servers() {
		restrict(t, s.Client(), recipe...)
	}
	o := fastAt(g.URL())
	o.Username, o.Password = "gate", secret
	o.SentinelUsername, o.SentinelPassword = "watcher", watching
	found, err := Probe(t.Context(), o)
	if want := g.Master().Addr() + ", named by the majority of 3 Sentinels"; err != nil || found != want {
		t.Errorf("Probe = %q, %v, want %q", found, err, want)
	}
	o.SentinelPassword = "wr0ng-passw0rd"
	if _, err := Probe(t.Context(), o); secrecy.Error(t, err) == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("Probe with a wrong password for the Sentinels = %v, want WRONGPASS", err)
	}
}
