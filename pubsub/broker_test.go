package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
)

// subscribers is how many connections Redis has subscribed to room.
func subscribers(t testing.TB, c *redis.Client, room string) int64 {
	t.Helper()
	n, err := c.PubSubNumSub(context.Background(), prefix+room).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n[prefix+room]
}

func TestWhatIsPublishedAfterSubscribeReturnsArrives(t *testing.T) {
	s := redistest.Start(t)
	b, r := run(t, fast(s))
	backend := s.Client()
	var wg sync.WaitGroup
	const n = 1000
	for i := range n {
		wg.Go(func() {
			room := strconv.Itoa(i)
			subscribe(t, b, room)
			if err := backend.Publish(context.Background(), prefix+room, "hello "+room).Err(); err != nil {
				t.Errorf("publishing: %v", err)
			}
		})
	}
	wg.Wait()
	eventually(t, "a message in each room", func() bool {
		for i := range n {
			if len(r.got(strconv.Itoa(i))) == 0 {
				return false
			}
		}
		return true
	})
	if got, want := r.got("7"), []string{"hello 7"}; !slices.Equal(got, want) {
		t.Errorf("room 7 got %q, want %q", got, want)
	}
	if got := r.gapsByRoom(); len(got) != 0 {
		t.Errorf("rooms joined for the first time got gaps: %v", got)
	}
}

func TestMessagesArriveInRedisOrderAndUnchanged(t *testing.T) {
	s := redistest.Start(t)
	b, r := run(t, fast(s))
	subscribe(t, b, "a")
	payloads := []string{"", "\x00\xff\r\n", `{"a":1}`}
	for i := range 2000 {
		payloads = append(payloads, strconv.Itoa(i))
	}
	for _, p := range payloads {
		if err := b.Publish(t.Context(), "a", []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all messages", func() bool { return len(r.got("a")) == len(payloads) })
	if got := r.got("a"); !slices.Equal(got, payloads) {
		t.Errorf("the %d messages arrived changed or in another order", len(payloads))
	}
}

func TestARoomIsLeftOnlyAfterItsLastHolderAndTheDelay(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.LeaveDelay = 300 * time.Millisecond
	b, _ := run(t, o)
	c := s.Client()
	subscribe(t, b, "a")
	subscribe(t, b, "a")
	b.Unsubscribe("a")
	if got := subscribers(t, c, "a"); got != 1 {
		t.Fatalf("with one holder left Redis has %d subscriptions, want 1", got)
	}
	left := time.Now()
	b.Unsubscribe("a")
	eventually(t, "left", func() bool { return subscribers(t, c, "a") == 0 })
	if after := time.Since(left); after < o.LeaveDelay {
		t.Errorf("left after %v, want at least %v", after, o.LeaveDelay)
	}
	eventually(t, "forgotten", func() bool { return b.Rooms() == 0 })
}

func TestComingBackWithinTheDelaySendsNothingToRedis(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.LeaveDelay = time.Hour
	b, _ := run(t, o)
	c := s.Client()
	subscribe(t, b, "a")
	before := calls(t, c, "subscribe")
	for range 100 {
		b.Unsubscribe("a")
		subscribe(t, b, "a")
	}
	if got := calls(t, c, "subscribe"); got != before {
		t.Errorf("%d more SUBSCRIBE, want none", got-before)
	}
}

// The shortest delay makes each return meet the UNSUBSCRIBE at another point of its way.
func TestComingBackWhileLeavingJoinsAgain(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	o := fast(s)
	o.LeaveDelay = time.Nanosecond
	b, r := run(t, o)
	for i := range 500 {
		subscribe(t, b, "a")
		if err := b.Publish(t.Context(), "a", []byte(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
		eventually(t, "message "+strconv.Itoa(i), func() bool { return len(r.got("a")) == i+1 })
		b.Unsubscribe("a")
	}
	eventually(t, "forgotten", func() bool { return b.Rooms() == 0 })
}

func TestTwentyThousandRoomsAreJoinedAtOnce(t *testing.T) {
	s := redistest.Start(t)
	b, _ := run(t, Options{URL: s.URL(), ChannelPrefix: prefix})
	ready(t, b)
	const n = 20_000
	began := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { subscribe(t, b, strconv.Itoa(i)) })
	}
	wg.Wait()
	took := time.Since(began)
	c := s.Client()
	t.Logf("%d rooms in %v with %d SUBSCRIBE", n, took, calls(t, c, "subscribe"))
	channels, err := c.PubSubChannels(t.Context(), prefix+"*").Result()
	if err != nil || len(channels) != n {
		t.Errorf("Redis has %d channels, %v; want %d", len(channels), err, n)
	}
	if got := b.Rooms(); got != n {
		t.Errorf("Rooms() = %d, want %d", got, n)
	}
}

func TestSubscribeWaitsNoLongerThanItsContextAndHoldsNothingThen(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	b, _ := run(t, fast(s))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Subscribe(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Subscribe = %v, want deadline exceeded", err)
	}
	s.Restart()
	ready(t, b)
	if got := subscribers(t, s.Client(), "a"); got != 0 {
		t.Errorf("Redis has %d subscriptions to a room nobody holds", got)
	}
	eventually(t, "forgotten", func() bool { return b.Rooms() == 0 })
}

func TestSubscribeFailsOnceRunHasReturned(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	b, err := New(fast(s))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() { waiting <- b.Subscribe(context.Background(), "a") }()
	eventually(t, "waiting", func() bool { return b.Rooms() == 1 })
	cancel()
	if err := b.Run(ctx, newRecorder()); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("the Subscribe that waited got %v, want ErrClosed", err)
	}
	if err := b.Subscribe(t.Context(), "b"); !errors.Is(err, ErrClosed) {
		t.Errorf("a later Subscribe got %v, want ErrClosed", err)
	}
	if err := b.Ready(); err == nil {
		t.Error("ready after Run has returned")
	}
	if err := b.Run(t.Context(), newRecorder()); err == nil {
		t.Error("a second Run returned nil, want an error")
	}
}

func TestUnsubscribeWithoutSubscribeChangesNothing(t *testing.T) {
	s := redistest.Start(t)
	b, _ := run(t, fast(s))
	b.Unsubscribe("never")
	subscribe(t, b, "a")
	b.Unsubscribe("a")
	b.Unsubscribe("a")
	subscribe(t, b, "a")
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

func TestPublishErrorNamesTheRoom(t *testing.T) {
	s := redistest.Start(t)
	b, _ := run(t, fast(s))
	ready(t, b)
	s.Kill()
	err := b.Publish(t.Context(), "a", []byte("x"))
	if want := fmt.Sprintf("publishing to room %q", "a"); err == nil || err.Error()[:len(want)] != want {
		t.Errorf("Publish = %v, want %s…", err, want)
	}
}
