package pubsub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

// A ledger is a Receiver that knows, for each room, the last number delivered and how many gaps.
type ledger struct {
	mu    sync.Mutex
	last  map[string]int
	gaps  map[string]int
	order error // the first number that came late, or twice
}

func (l *ledger) Deliver(room string, payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := strconv.Atoi(string(payload))
	if n <= l.last[room] && l.order == nil {
		l.order = fmt.Errorf("room %s got %d after %d", room, n, l.last[room])
	}
	l.last[room] = n
}

func (l *ledger) Gap(room string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gaps[room]++
}

func (l *ledger) Control([]byte) {}

func (l *ledger) at(room string) (last, gaps int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[room], l.gaps[room]
}

// Many hold and leave rooms, and publish one number after the other to what they hold, while
// connections are killed and Redis crashes and stops. Each number that Redis took while its
// publisher held the room must arrive, or a gap after it was sent.
func TestNothingIsLostSilently(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	o := fast(s)
	backend := s.Client()
	kill := func() { backend.ClientKillByFilter(context.Background(), "TYPE", "pubsub") }
	nothingIsLost(t, o, func(channel, payload string) error {
		return backend.Publish(context.Background(), channel, payload).Err()
	}, kill, s.Restart, kill, func() {
		s.Pause()
		time.Sleep(o.CanaryTimeout + 2*o.CanaryInterval)
		s.Resume()
	})
}

func nothingIsLost(t *testing.T, o Options, publish func(channel, payload string) error, harms ...func()) {
	o.LeaveDelay = 5 * time.Millisecond
	l := &ledger{last: map[string]int{}, gaps: map[string]int{}}
	b := runWith(t, o, l)
	ready(t, b)

	var over atomic.Bool
	var published, gapped atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			h := holder{b: b, l: l, publish: publish, room: strconv.Itoa(i), rnd: rand.New(rand.NewPCG(1, uint64(i)))}
			for !over.Load() {
				if err := h.once(&published, &gapped); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, harm := range harms {
		eventually(t, "ready", func() bool { return b.Ready() == nil && b.Check() == nil })
		before := published.Load()
		eventually(t, "messages", func() bool { return published.Load() > before+500 })
		harm()
	}
	ready(t, b)
	over.Store(true)
	wg.Wait()
	if l.order != nil {
		t.Error(l.order)
	}
	t.Logf("%d numbers published, %d of them met a gap", published.Load(), gapped.Load())
	if gapped.Load() == 0 {
		t.Error("no number met a gap: nothing was tested")
	}
	eventually(t, "all rooms left", func() bool { return b.Rooms() == 0 })
}

// A holder is the only one who holds its room and publishes to it.
type holder struct {
	b       *Broker
	l       *ledger
	publish func(channel, payload string) error
	room    string
	rnd     *rand.Rand
	n       int // the last number sent
}

// once joins the room, publishes a few numbers, each seen through, and leaves it.
func (h *holder) once(published, gapped *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(h.rnd.IntN(500))*time.Millisecond)
	defer cancel()
	if err := h.b.Subscribe(ctx, h.room); errors.Is(err, context.DeadlineExceeded) {
		return nil
	} else if err != nil {
		return err
	}
	defer h.b.Unsubscribe(h.room)
	for range h.rnd.IntN(4) {
		_, before := h.l.at(h.room)
		h.n++
		if h.publish(prefix+h.room, strconv.Itoa(h.n)) != nil {
			continue // Redis may have had it or not
		}
		published.Add(1)
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			last, gaps := h.l.at(h.room)
			if gaps > before {
				gapped.Add(1)
				break
			}
			if last == h.n {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("room %s: %d is lost: got %d last, and no gap", h.room, h.n, last)
			}
		}
	}
	return nil
}
