package gateway

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

// A pipeListener accepts connections that never leave the process, so that the time of a
// synctest bubble can pass while they are idle.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// inFakeTime runs a test against a gateway whose clock is synctest's.
func inFakeTime(t *testing.T, change func(*Options), test func(t *testing.T, w *world, dial func(header ...string) *wstest.Client)) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		w := newWorldOn(t, ln, change)
		test(t, w, func(header ...string) *wstest.Client {
			ours, theirs := net.Pipe()
			ln.conns <- theirs
			c, err := wstest.Over(t, ours, w.url, header...)
			if err != nil {
				t.Fatal(err)
			}
			c.Patience = -1
			return c
		})
	})
}

const v1 = "Sec-WebSocket-Protocol: roomgate.v1"

func TestPingComesEachIntervalAndAPongKeepsTheConnection(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial(v1, "Authorization: Bearer "+w.token("42"))
		c.WantType("hello")
		last := time.Now()
		for range 20 {
			f, err := c.Read()
			if err != nil || f.Op != wstest.Ping {
				t.Fatalf("got %v %v, want a ping", f, err)
			}
			if d := time.Since(last); d < 27*time.Second || d > 33*time.Second+2*wheelTick {
				t.Errorf("ping after %v, want 30 s, 10 %% more or less", d)
			}
			last = time.Now()
			time.Sleep(9 * time.Second)
			c.Send(wstest.Pong, f.Payload)
		}
	})
}

func TestNoPongInTimeCloses4204(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial(v1, "Authorization: Bearer "+w.token("42"))
		c.WantType("hello")
		f, err := c.Read()
		if err != nil || f.Op != wstest.Ping {
			t.Fatalf("got %v %v, want a ping", f, err)
		}
		start := time.Now()
		c.WantClose(4204)
		if d := time.Since(start); d < 10*time.Second || d > 10*time.Second+2*wheelTick {
			t.Errorf("closed after %v, want 10 s", d)
		}
	})
}

func TestAnyFrameCountsAsLife(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial(v1, "Authorization: Bearer "+w.token("42"))
		c.WantType("hello")
		for range 3 {
			if f, err := c.Read(); err != nil || f.Op != wstest.Ping {
				t.Fatalf("got %v %v, want a ping", f, err)
			}
			c.SendText(`{"type":"ping"}`) // and no pong
			c.WantType("pong")
		}
	})
}

func TestTokenExpiryIsAnnouncedAndThenCloses(t *testing.T) {
	inFakeTime(t, func(o *Options) { o.Expiring = time.Minute }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		start := time.Now()
		c := dial(v1, "Authorization: Bearer "+w.tokenWith(map[string]any{"exp": start.Add(10 * time.Minute).Unix()}))
		c.WantType("hello")
		if m := c.WantType("expiring"); m["in"] != 60.0 {
			t.Errorf("got %v, want 60 s", m)
		}
		near(t, "expiring", time.Since(start), 9*time.Minute)
		c.WantClose(4202)
		near(t, "close", time.Since(start), 10*time.Minute+testLeeway)
	})
}

func TestRefreshMovesTheExpiryAndItsAnnouncement(t *testing.T) {
	inFakeTime(t, func(o *Options) { o.Expiring = time.Minute }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		start := time.Now()
		c := dial(v1, "Authorization: Bearer "+w.tokenWith(map[string]any{"exp": start.Add(5 * time.Minute).Unix()}))
		c.WantType("hello")
		c.WantType("expiring")
		near(t, "expiring", time.Since(start), 4*time.Minute)
		c.SendText(`{"type":"auth","token":"` + w.tokenWith(map[string]any{"exp": start.Add(20 * time.Minute).Unix()}) + `"}`)
		c.WantType("hello")
		c.WantType("expiring")
		near(t, "second expiring", time.Since(start), 19*time.Minute)
	})
}

func TestRawConnectionIsNotToldOfExpiryButEnded(t *testing.T) {
	inFakeTime(t, func(o *Options) { o.Expiring = time.Minute }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial("Authorization: Bearer " + w.tokenWith(map[string]any{"exp": time.Now().Add(5 * time.Minute).Unix()}))
		c.WantClose(4202)
	})
}

func TestMissingAuthMessageCloses4008(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		start := time.Now()
		c := dial(v1)
		c.WantClose(4008)
		near(t, "close", time.Since(start), 10*time.Second)
	})
}

func TestGapTellsV1WhenToRefetchAndEndsRawThen(t *testing.T) {
	inFakeTime(t, func(o *Options) { o.GapSpread = 20 * time.Second }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		a, b := dial(v1, "Authorization: Bearer "+w.token("42")), dial("Authorization: Bearer "+w.token("42"))
		other := dial(v1, "Authorization: Bearer "+w.token("43"))
		a.WantType("hello")
		other.WantType("hello")
		w.await("both joined", func() bool { return w.members("42") == 2 })
		start := time.Now()
		w.Gap("42")
		if m := a.WantType("gap"); m["room"] != "42" || m["reason"] != "redis" || m["after"].(float64) > 20000 {
			t.Errorf("got %v", m)
		}
		b.WantClose(4205)
		if d := time.Since(start); d > 20*time.Second+2*wheelTick {
			t.Errorf("raw connection was told after %v", d)
		}
		w.Deliver("43", []byte("1"))
		other.WantType("message") // and no gap before it
	})
}

func TestClientThatDoesNotAnswerACloseIsCutOff(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		c := dial("X: y") // no token
		if f := c.Next(); f.CloseCode() != 4001 {
			t.Fatalf("got %v", f)
		}
		start := time.Now()
		c.WantGone()
		near(t, "cut off", time.Since(start), closeTimeout)
	})
}

func TestDrainSpreadsByesEvenlyAndTellsWhenToReconnect(t *testing.T) {
	inFakeTime(t, nil, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		const n, period = 100, 10 * time.Second
		perSecond := make(chan int, n)
		start := time.Now()
		for i := range n {
			header := []string{"Authorization: Bearer " + w.token("42")}
			if i%2 == 0 {
				header = append(header, v1)
			}
			c := dial(header...)
			if i%2 == 0 {
				c.WantType("hello")
			}
			go func() {
				defer func() { perSecond <- int(time.Since(start) / time.Second) }()
				if i%2 == 0 {
					if m := c.WantType("bye"); m["code"] != 4201.0 || m["after"].(float64) > 5000 {
						t.Errorf("got %v", m)
					}
				}
				c.WantClose(4201)
			}()
		}
		synctest.Wait() // a raw client sees 101 a moment before its connection is registered, and one that comes later is told at once
		if err := w.Drain(context.Background(), period); err != nil {
			t.Fatal(err)
		}
		var counts [11]int
		for range n {
			counts[<-perSecond]++
		}
		for s := range 10 {
			if counts[s] < 9 || counts[s] > 11 {
				t.Fatalf("ended in each second: %v, want 10", counts)
			}
		}
	})
}

func TestConnectionsThatCameTogetherDoNotEndTogether(t *testing.T) {
	const n, age = 120, 5 * time.Minute
	inFakeTime(t, func(o *Options) { o.ConnectionAge = age }, func(t *testing.T, w *world, dial func(...string) *wstest.Client) {
		start := time.Now()
		type end struct{ at, after time.Duration }
		ends := make(chan end, n)
		for range n {
			c := dial(v1, "Authorization: Bearer "+w.token("42"))
			c.WantType("hello")
			go func() { // ends with its connection
				m := c.WantType("bye")
				ends <- end{time.Since(start), time.Duration(m["after"].(float64)) * time.Millisecond}
				c.WantClose(4203)
			}()
		}
		const parts = 6 // of the time in which they may end, and of the window of after
		var byAge, byAfter [parts]int
		for range n {
			e := <-ends
			byAge[min(int((e.at-age*9/10)*parts/(age/5)), parts-1)]++
			byAfter[e.after*parts/reconnectWindow]++
		}
		for i := range parts { // each has 20 on average: less than 2 is one run in ten million
			if byAge[i] < 2 || byAfter[i] < 2 {
				t.Errorf("ended, by sixths of the time in which they may: %v; told to come back, by sixths of %v: %v; want them spread", byAge, reconnectWindow, byAfter)
				break
			}
		}
	})
}

func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+time.Second {
		t.Errorf("%s after %v, want %v", what, got, want)
	}
}
