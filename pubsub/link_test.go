package pubsub

import (
	"context"
	"errors"
	"maps"
	"net"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

// calls is how many commands of that name Redis has run.
func calls(t testing.TB, c *redis.Client, command string) int {
	t.Helper()
	text, err := c.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("cmdstat_" + command + `:calls=(\d+)`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// hold subscribes n rooms named 0, 1, …, and returns what gaps they get if their link is lost.
func hold(t testing.TB, b *Broker, n int) map[string]int {
	t.Helper()
	gaps := make(map[string]int, n)
	var wg sync.WaitGroup
	for i := range n {
		gaps[strconv.Itoa(i)] = 1
		wg.Go(func() { subscribe(t, b, strconv.Itoa(i)) })
	}
	wg.Wait()
	return gaps
}

func TestACrashGivesAGapToExactlyTheRoomsThatWereJoined(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.LeaveDelay = time.Hour
	o.CanaryTimeout = 10 * time.Second // the crash is told by the socket; on a busy machine silence would end a second link
	b, r := run(t, o)
	want := hold(t, b, 1500)
	subscribe(t, b, "left")
	b.Unsubscribe("left") // still subscribed, but nobody could miss anything
	s.Kill()
	late := make(chan struct{})
	go func() { // ends once Redis is back
		defer close(late)
		subscribe(t, b, "late")
	}()
	eventually(t, "late waits", func() bool { return b.Rooms() >= 1501 })
	s.Restart()
	<-late
	eventually(t, "all gaps", func() bool { return len(r.gapsByRoom()) >= len(want) })
	ready(t, b)
	if got := r.gapsByRoom(); !maps.Equal(got, want) {
		t.Errorf("%d rooms got gaps, want one each for %d; left %d, late %d", len(got), len(want), got["left"], got["late"])
	}
	if got := b.Rooms(); got != len(want)+1 {
		t.Errorf("Rooms() = %d, want %d", got, len(want)+1)
	}
}

// onGap publishes to a room as soon as its gap is told, from within.
type onGap struct {
	*recorder
	publish func(room string)
}

func (g onGap) Gap(room string) {
	g.recorder.Gap(room)
	g.publish(room)
}

func TestWhatIsPublishedAfterAGapArrives(t *testing.T) {
	s := redistest.Start(t)
	backend := s.Client()
	r := newRecorder()
	b := runWith(t, fast(s), onGap{r, func(room string) {
		if err := backend.Publish(context.Background(), prefix+room, "after").Err(); err != nil {
			t.Errorf("publishing: %v", err)
		}
	}})
	const n = 700
	hold(t, b, n)
	if err := backend.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message after each gap", func() bool {
		for i := range n {
			if len(r.got(strconv.Itoa(i))) == 0 {
				return false
			}
		}
		return true
	})
}

// connections is how many Redis has accepted.
func connections(t *testing.T, c *redis.Client) int {
	t.Helper()
	info, err := c.Info(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`total_connections_received:(\d+)`).FindStringSubmatch(info)
	if m == nil {
		t.Fatalf("INFO stats does not say how many connections there were: %s", info)
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

func TestAReconnectIsOneConnectionAndBatchesOnly(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	o := fast(s)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	o.CanaryInterval, o.CanaryTimeout = 30*time.Second, time.Minute // neither canary, watch nor patience is to interfere
	b, r := run(t, o)
	const n = 5000
	want := hold(t, b, n)
	ready(t, b)
	c := s.Client()
	subscribes, connected := calls(t, c, "subscribe"), connections(t, c)
	if err := c.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all gaps", func() bool { return maps.Equal(r.gapsByRoom(), want) })
	// One for the canary; a giant one by go-redis would be one more.
	if got, want := calls(t, c, "subscribe")-subscribes, 1+(n+maxBatch-1)/maxBatch; got != want {
		t.Errorf("%d SUBSCRIBE for %d rooms, want %d", got, n, want)
	}
	if got := connections(t, c) - connected; got != 1 {
		t.Errorf("%d new connections, want 1", got)
	}
	if got := count(t, reg, "roomgate_redis_reconnects_total", "closed"); got != 1 {
		t.Errorf("%v reconnects for closed, want 1", got)
	}
	if got := count(t, reg, "roomgate_redis_gaps_total", ""); got != n {
		t.Errorf("%v gaps counted, want %d", got, n)
	}
}

func TestALinkNeverDialsTwice(t *testing.T) {
	s := redistest.Start(t)
	b, err := New(fast(s))
	if err != nil {
		t.Fatal(err)
	}
	var c oneConn
	dial := c.dialer(b.access, server{addr: s.Addr()})
	conn, err := dial(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t.Context(), "tcp", s.Addr()); !errors.Is(err, errLinkOver) {
		t.Errorf("the second dial returned %v, want %v", err, errLinkOver)
	}
	c.close()
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("the connection is open after close")
	}
	var closedBefore oneConn
	closedBefore.close()
	if _, err := closedBefore.dialer(b.access, server{addr: s.Addr()})(t.Context(), "tcp", s.Addr()); !errors.Is(err, errLinkOver) {
		t.Errorf("a dial after close returned %v, want %v", err, errLinkOver)
	}
}

func TestAStoppedRedisIsFoundByTheCanary(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	o := fast(s)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	want := hold(t, b, 3)
	ready(t, b)
	s.Pause()
	began := time.Now()
	eventually(t, "unready", func() bool { return b.Ready() != nil })
	eventually(t, "link given up", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "canary") == 1 })
	if after := time.Since(began); after > 2*o.CanaryTimeout+time.Second {
		t.Errorf("found after %v, with a timeout of %v", after, o.CanaryTimeout)
	}
	s.Resume()
	ready(t, b)
	eventually(t, "all gaps", func() bool { return maps.Equal(r.gapsByRoom(), want) })
}

func TestStartsWithRedisDown(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	o := fast(s)
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, r := run(t, o)
	eventually(t, "a failed dial", func() bool { return count(t, reg, "roomgate_redis_reconnects_total", "dial") > 0 })
	if err := b.Ready(); err == nil {
		t.Error("ready without Redis")
	}
	if got := count(t, reg, "roomgate_redis_up", ""); got != 0 {
		t.Errorf("roomgate_redis_up = %v, want 0", got)
	}
	s.Restart()
	ready(t, b)
	subscribe(t, b, "a")
	if err := b.Publish(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a message", func() bool { return len(r.got("a")) == 1 })
	for _, name := range []string{"roomgate_redis_up", "roomgate_redis_rooms", "roomgate_redis_messages_total", "roomgate_redis_subscribe_seconds"} {
		if got := count(t, reg, name, ""); got != 1 {
			t.Errorf("%s = %v, want 1", name, got)
		}
	}
	if got := count(t, reg, "roomgate_redis_round_trip_seconds", ""); got < 1 {
		t.Errorf("%v round trips observed", got)
	}
}

// A connection that accepts and says nothing, as one into a firewall that drops.
func TestASilentPeerDoesNotKeepRunFromEnding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := New(Options{URL: "redis://" + l.Addr().String(), Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, newRecorder()) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	case <-time.After(patience):
		t.Fatal("Run did not return")
	}
}

func TestOneQuickReconnectDoesNotTurnUnready(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.CanaryTimeout = patience
	reg := secrecy.Registry(t)
	o.Metrics = reg
	b, _ := run(t, o)
	ready(t, b)
	if err := s.Client().ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	trips := count(t, reg, "roomgate_redis_round_trip_seconds", "")
	eventually(t, "reconnected", func() bool {
		if err := b.Ready(); err != nil {
			t.Fatalf("turned unready: %v", err)
		}
		return count(t, reg, "roomgate_redis_reconnects_total", "closed") == 1 &&
			count(t, reg, "roomgate_redis_round_trip_seconds", "") > trips+1
	})
}
