package gateway

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// useUpConnects leaves no turn for an hour, however slow the machine is.
func (w *world) useUpConnects() {
	w.connects.mu.Lock()
	defer w.connects.mu.Unlock()
	w.connects.pace.emptyAt = w.now() + int64(time.Hour)
}

func TestConnectsAreLetInEvenly(t *testing.T) {
	const rate = 20
	inFakeTime(t, func(o *Options) { o.ConnectsPerSecond = rate }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		token := w.token("42")
		var tenths [20]int // let in, by tenth of a second
		for i := range 10 * len(tenths) {
			if dial(v1, "Authorization: Bearer "+token).Response.StatusCode == http.StatusSwitchingProtocols {
				tenths[i/10]++
			}
			time.Sleep(10 * time.Millisecond)
		}
		for i, n := range tenths {
			least, most := 1, rate/10+1
			if i == 0 {
				most += rate / 10 // the burst
			}
			if n < least || n > most {
				t.Errorf("let in by tenth of a second: %v, want %d in each, and as many more at first", tenths, rate/10)
				break
			}
		}
	})
}

func TestConnectBeyondTheRateIsToldToComeBackBeforeItsTokenIsLookedAt(t *testing.T) {
	b := &brokenTokens{}
	w := newWorld(t, func(o *Options) { b.Tokens, o.Tokens, o.ConnectsPerSecond = o.Tokens, b, 1000 })
	w.dialV1(w.token("42"))
	w.useUpConnects()
	b.broken.Store(true) // verifying panics from now on
	for range 5 {
		r := w.wantStatus("?token="+w.token("42"), 503)
		if after, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || after < 5 || after > 10 {
			t.Errorf("Retry-After %q, want 5 to 10", r.Header.Get("Retry-After"))
		}
	}
	b.broken.Store(false)
	if got := w.exceededCount(t, limitConnects, "false"); got != 5 {
		t.Errorf("exceeded %v times by the metric, want 5", got)
	}
	if got := counterValue(t, w.metrics.connects.WithLabelValues(limitConnects)); got != 5 {
		t.Errorf("%v refused connects by the metric, want 5", got)
	}
	if !strings.Contains(w.logs.String(), `"event":"rate_limited"`) || !strings.Contains(w.logs.String(), `"reason":"connects_per_second"`) {
		t.Error("no line of log says it")
	}
	o := w.opts().Options
	o.ConnectsPerSecond = 0
	if err := w.Reload(o); err != nil {
		t.Fatal(err)
	}
	w.dialV1(w.token("42"))
}

func TestWhoIsRefusedUsesUpNoTurnOfOthers(t *testing.T) {
	for _, reject := range []string{rejectClose, rejectStatus} {
		w := newWorld(t, func(o *Options) {
			o.Reject, o.ConnectsPerSecond = reject, 1
			o.Origins = []string{"https://example.com"}
		})
		for range 3 {
			w.wantStatus("?room=a%20b&token="+w.token("42"), 400)
			w.wantStatus("?token="+w.token("42"), 403, "Origin: https://evil.example")
			if reject == rejectStatus {
				w.wantStatus("?token=x", 401)
				w.wantStatus("?room=43&token="+w.token("42"), 403)
				continue
			}
			wstest.Dial(t, w.url+"?token=x").WantClose(4002)
			wstest.Dial(t, w.url+"?room=43&token="+w.token("42")).WantClose(4003)
		}
		w.dialV1(w.token("42"))
	}
}

// Whoever is refused gives the turn back while others take theirs.
func TestTurnsThatAreGivenBackLetNobodyInBeyondTheBurst(t *testing.T) {
	const rate = 50
	limit := perSecond(rate)
	for seed := range uint64(1000) {
		draw := rand.New(rand.NewPCG(seed, 0))
		var c connects
		type refused struct {
			turn turn
			at   int64 // when it is known
		}
		var open []refused
		var in []int64 // when somebody was let in
		for now, end := int64(0), int64(5*time.Second); now < end; now += draw.Int64N(int64(8 * time.Millisecond)) {
			if seed%2 == 0 && draw.IntN(20) == 0 { // for a while nobody comes
				now += draw.Int64N(int64(200 * time.Millisecond))
			}
			open = slices.DeleteFunc(open, func(r refused) bool {
				if r.at <= now {
					c.giveBack(limit, r.turn, now)
				}
				return r.at <= now
			})
			for range draw.IntN(4) {
				if turn, ok := c.take(limit, now); ok && draw.IntN(2) == 0 {
					open = append(open, refused{turn, now + draw.Int64N(int64(150*time.Millisecond))})
				} else if ok {
					in = append(in, now)
				}
			}
		}
		for i, from := range in {
			for n, at := range in[i:] {
				if most := int64(limit.burst) + (at-from)/int64(limit.interval); int64(n+1) > most {
					t.Fatalf("seed %d: %d were let in within %v, want %d at most", seed, n+1, time.Duration(at-from), most)
				}
			}
		}
	}
}

// BenchmarkConnect is what a connect costs that is let in, and one that is refused for the rate:
// both with the TCP connection of the client's, in this process.
func BenchmarkConnect(b *testing.B) {
	for name, rate := range map[string]int{"let in": 0, "refused": 1} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, func(o *Options) { o.ConnectsPerSecond = rate })
			w.useUpConnects()
			token := w.token("42")
			for b.Loop() {
				c, err := wstest.Try(b, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token)
				if err != nil {
					b.Fatal(err)
				}
				c.Drop()
			}
		})
	}
}
