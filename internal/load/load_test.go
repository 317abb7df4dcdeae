package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// options are those of a load on s.
func options(s *server, connections, rooms int) Options {
	return Options{URL: s.url, Connections: connections, Rooms: rooms, TLS: s.tls,
		Query: func(_ int, room string) string { return "room=" + url.QueryEscape(room) }}
}

// dial connects clients, which the test's end closes.
func dial(t testing.TB, o Options) *Clients {
	t.Helper()
	c, err := Dial(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// each runs a test with each fleet that this system has.
func each(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("ws", func(t *testing.T) { test(t, serve(t)) })
	t.Run("wss", func(t *testing.T) { test(t, serveTLS(t)) })
}

// serveTLS is serve with TLS.
func serveTLS(t testing.TB) *server {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate, of 127.0.0.1
	certified.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certified.Certificate())
	s := &server{t: t, members: map[string][]net.Conn{}, from: map[string]bool{}, url: "wss://" + l.Addr().String() + "/ws", tls: &tls.Config{RootCAs: roots}}
	s.listen(tls.NewListener(l, &tls.Config{Certificates: certified.TLS.Certificates}))
	return s
}

func TestEachMessageIsCountedOnceAtEachMember(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		c := dial(t, options(s, 10, 3))
		if got, want := c.Len(), 10; got != want {
			t.Errorf("%d connections, want %d", got, want)
		}
		var began, ended bool
		r, err := c.Run(t.Context(), Traffic{Rate: 300, Size: 200, Warm: 50 * time.Millisecond, Duration: 200 * time.Millisecond,
			Publish: func(room string, payload []byte) error { return s.send(room, -1, frame(opText, payload)) },
			Begin:   func() error { began = true; return nil }, End: func() error { ended = true; return nil },
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := counted{Connections: 10, Rooms: 3, Published: 60, Expected: 200, Delivered: 200}
		if got := counts(r); got != want || len(r.ClosedBy) > 0 {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if r.Latency.Max <= 0 || r.Latency.Max > r.Elapsed || !began || !ended {
			t.Errorf("latencies %+v in %v, Begin called: %v, End: %v", r.Latency, r.Elapsed, began, ended)
		}
	})
}

// counted is what a Result has that does not depend on time.
type counted struct {
	Connections, Rooms                                                                 int
	Published, Expected, Delivered, Lost, Duplicated, OutOfOrder, Strays, Gaps, Closed int64
}

func counts(r *Result) counted {
	return counted{r.Connections, r.Rooms, r.Published, r.Expected, r.Delivered, r.Lost, r.Duplicated, r.OutOfOrder, r.Strays, r.Gaps, r.Closed}
}

// A server that loses one message for one client, sends one twice, swaps two, sends one to the wrong
// room, and tells of a gap, each on purpose.
func TestWhatAServerDoesWrongIsCountedExactly(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		c := dial(t, options(s, 6, 2)) // three in each room
		var n int
		var held []byte
		r, err := c.Run(t.Context(), Traffic{Rate: 400, Size: MinSize, Duration: 100 * time.Millisecond, Settle: 100 * time.Millisecond,
			Publish: func(room string, payload []byte) error {
				f := frame(opText, payload)
				n++
				switch n {
				case 5: // lost for two of three
					return s.send(room, 0, f)
				case 7: // twice for one
					return errors.Join(s.send(room, -1, f), s.send(room, 1, f))
				case 9: // behind the next of its room, for all
					held = f
					return nil
				case 11:
					return errors.Join(s.send(room, -1, f), s.send(room, -1, held))
				case 12: // to a client of the other room too
					return errors.Join(s.send(room, -1, f), s.send("bench-0", 2, f))
				case 13:
					return errors.Join(s.send(room, -1, f), s.send(room, 0, frame(opText, []byte(`{"type":"gap","room":"bench-0","reason":"redis","after":7}`))))
				case 40: // the last is lost, which no later one shows
					return nil
				}
				return s.send(room, -1, f)
			},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := counted{Connections: 6, Rooms: 2, Published: 40, Expected: 120, Delivered: 115, Lost: 5, Duplicated: 1, OutOfOrder: 3, Strays: 1, Gaps: 1}
		if got := counts(r); got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	})
}

func TestConnectionsThatEndAreCountedByTheirCode(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		c := dial(t, options(s, 5, 1))
		n := 0
		r, err := c.Run(t.Context(), Traffic{Rate: 100, Size: MinSize, Duration: 50 * time.Millisecond, Settle: 100 * time.Millisecond,
			Publish: func(room string, payload []byte) error {
				if n++; n > 1 {
					return nil
				}
				s.mu.Lock()
				s.members[room][2].Close()
				s.mu.Unlock()
				return errors.Join(
					s.send(room, 0, frame(opClose, []byte{0x10, 0x06, 's'})), // 4102
					s.send(room, 1, frame(opClose, []byte{0x10, 0x06, 's'})),
					s.send(room, 3, frame(opClose, nil)))
			}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Closed != 4 || r.ClosedBy["4102"] != 2 || r.ClosedBy["1006"] != 1 || r.ClosedBy["1005"] != 1 || c.Len() != 1 {
			t.Errorf("closed %d, by %v, %d left; want 4, 4102 twice, 1005 and 1006 once, 1", r.Closed, r.ClosedBy, c.Len())
		}
		r, err = c.Run(t.Context(), Traffic{Rate: 100, Size: MinSize, Duration: 50 * time.Millisecond,
			Publish: func(room string, payload []byte) error { return s.send(room, 4, frame(opText, payload)) }}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Connections != 1 || r.Expected != 5 || r.Delivered != 5 || r.Closed != 4 {
			t.Errorf("afterwards: %+v, want one connection, 5 delivered to it, and 4 closed", *r)
		}
	})
}

func TestPingsAreAnsweredAndCounted(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		o := options(s, 2, 1)
		o.Answer = func(frame []byte) []byte {
			if string(frame) == "2" { // of Engine.IO
				return []byte("3")
			}
			return nil
		}
		c := dial(t, o)
		if err := s.send("bench-0", 1, append(frame(opPing, []byte("are you there")), frame(opText, []byte("2"))...)); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); !s.said("10 are you there") || !s.said("1 3"); {
			if err := c.Idle(t.Context(), 10*time.Millisecond); err != nil || time.Now().After(deadline) {
				t.Fatalf("clients said %q, %v; want a pong and an answer", s.received, err)
			}
		}
		if got := c.Answered(); got != 2 {
			t.Errorf("%d pings are counted as answered, want 2", got)
		}
	})
}

func TestAClientSaysHelloAndWaitsUntilItIsReady(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.greet = frame(opPing, []byte("p"))
		o := options(s, 1, 1)
		o.Hello = func(client int, room string) [][]byte { return [][]byte{[]byte("join " + room), []byte("and more")} }
		o.Ready = func(frame []byte) bool { return string(frame) == "joined" }
		o.Header = func(int, string) []string { return []string{"Authorization: Bearer x"} }
		dialled := make(chan error, 1)
		go func() {
			c, err := Dial(t.Context(), o, nil)
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
		for !s.said("1 join bench-0") || !s.said("1 and more") || !s.said("10 p") {
			select {
			case err := <-dialled:
				t.Fatalf("Dial returned %v before it had said all", err)
			case <-time.After(time.Millisecond):
			}
		}
		if err := s.send("bench-0", 0, append(frame(opText, []byte("wait")), frame(opText, []byte("joined"))...)); err != nil {
			t.Fatal(err)
		}
		if err := <-dialled; err != nil {
			t.Error(err)
		}
		r := s.requests[0]
		if r.Header.Get("Authorization") != "Bearer x" || r.RequestURI != "/ws?room=bench-0" {
			t.Errorf("handshake: %v, %s", r.Header, r.RequestURI)
		}
	})
}

func TestARefusalSaysWhy(t *testing.T) {
	const accept = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
	for name, c := range map[string]struct {
		answer string
		want   Refused
		text   string
	}{
		"status": {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n\r\n{\"error\":\"too many attempts\"}",
			Refused{Status: 429, After: "5", Reason: "too many attempts"}, "refused with HTTP 429: too many attempts"},
		"a page":     {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p>a", Refused{Status: 200}, "refused with HTTP 200"},
		"nothing":    {"", Refused{}, "reading the answer to the handshake: unexpected EOF"},
		"bad accept": {accept + "bm8=\r\n\r\n", Refused{}, "no WebSocket server has answered"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.answer = func(*http.Request) string { return c.answer }
			_, err := Dial(t.Context(), options(s, 3, 1), nil)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got %v, want %q", err, c.text)
			}
			if refused, ok := errors.AsType[*Refused](err); ok != (c.want.Status != 0) || ok && *refused != c.want {
				t.Errorf("got %+v, want %+v", refused, c.want)
			}
		})
	}
}

func TestACloseFrameForWhoWantsToBeReadyIsARefusal(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.greet = frame(opClose, append([]byte{0x0f, 0xa3}, "the token does\x1b[31m not allow room"...))
		o := options(s, 3, 1)
		o.Ready = func([]byte) bool { return false }
		_, err := Dial(t.Context(), o, nil)
		refused, ok := errors.AsType[*Refused](err)
		if !ok || refused.Code != 4003 || strings.ContainsRune(err.Error(), 0x1b) || !strings.Contains(err.Error(), "closed with 4003: the token does") {
			t.Errorf("got %v, want 4003 and why, without what a terminal would obey", err)
		}
	})
}

func TestARunThatIsEndedEarlyHasWhatWasCounted(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 4, 1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sent atomic.Int64
	r, err := c.Run(ctx, Traffic{Rate: 1000, Size: 100, Duration: time.Hour,
		Publish: func(room string, payload []byte) error {
			if sent.Add(1) == 100 {
				cancel()
			}
			return s.send(room, -1, frame(opText, payload))
		}}, nil)
	if !errors.Is(err, context.Canceled) || r == nil {
		t.Fatalf("got %v, %v; want a result and %v", r, err, context.Canceled)
	}
	if r.Published != sent.Load() || r.Delivered != 4*r.Published || r.Lost != 0 {
		t.Errorf("got %+v of %d sent, want each delivered to all four", *r, sent.Load())
	}
	if r, err := c.Run(ctx, Traffic{Rate: 1, Size: 100, Warm: time.Hour, Publish: func(string, []byte) error { return nil }}, nil); r != nil || err == nil {
		t.Errorf("ended while warming up: %v, %v; want no result", r, err)
	}
}

func TestAnErrorOfPublishEndsTheRun(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 1, 1))
	down := errors.New("down")
	for name, traffic := range map[string]Traffic{
		"publishing": {Publish: func(string, []byte) error { return down }},
		"flushing":   {Publish: func(string, []byte) error { return nil }, Flush: func() error { return down }},
		"beginning":  {Publish: func(string, []byte) error { return nil }, Begin: func() error { return down }},
		"ending":     {Publish: func(room string, payload []byte) error { return s.send(room, 0, frame(opText, payload)) }, End: func() error { return down }},
	} {
		traffic.Rate, traffic.Size, traffic.Duration = 100, 100, 20*time.Millisecond
		if r, err := c.Run(t.Context(), traffic, nil); !errors.Is(err, down) || r != nil {
			t.Errorf("%s: %v, %v; want no result and %v", name, r, err, down)
		}
	}
}

func TestAPublisherThatIsTooSlowIsLateWhateverTheTick(t *testing.T) {
	for _, tick := range []time.Duration{time.Millisecond, 100 * time.Millisecond} {
		s := serve(t)
		o := options(s, 1, 1)
		o.Tick = tick
		c := dial(t, o)
		r, err := c.Run(t.Context(), Traffic{Rate: 1000, Size: 100, Duration: 100 * time.Millisecond,
			Publish: func(room string, payload []byte) error { return s.send(room, 0, frame(opText, payload)) },
			Flush:   func() error { time.Sleep(60 * time.Millisecond); return nil }}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Due != 100 || r.Published+r.Late < 100 || r.Late < 20 || r.Delivered != r.Published {
			t.Errorf("tick %v: due %d, published %d, late %d, delivered %d; want 100 due, most late, and all that was published delivered",
				tick, r.Due, r.Published, r.Late, r.Delivered)
		}
	}
}

func TestWithoutAPublisherWhatComesIsCounted(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		c := dial(t, options(s, 3, 1))
		var sent error
		told := false
		r, err := c.Run(t.Context(), Traffic{Duration: 700 * time.Millisecond}, func(Progress) {
			if !told {
				told, sent = true, s.send("bench-0", -1, frame(opText, []byte("from elsewhere")))
			}
		})
		if err := errors.Join(err, sent); err != nil {
			t.Fatal(err)
		}
		if r.Delivered != 3 || r.Published != 0 || r.Expected != 0 || r.Lost != 0 {
			t.Errorf("got %+v, want 3 that came", *r)
		}
	})
}

func TestDiallingKeepsItsRateAndItsSources(t *testing.T) {
	s := serve(t)
	o := options(s, 11, 1)
	o.ConnectRate, o.Sources = 100, 3
	began := time.Now()
	var told []int
	c, err := Dial(t.Context(), o, func(n int) { told = append(told, n) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("11 connections at 100 a second took %v", took)
	}
	if runtime.GOOS == "linux" && (len(s.from) != 3 || !s.from["127.0.1.1"] || !s.from["127.0.1.3"]) {
		t.Errorf("they came from %v, want 127.0.1.1 to 3", s.from)
	}
	if len(told) < 2 || told[len(told)-1] != 11 {
		t.Errorf("told of %v connections, want 11 at the end", told)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	s := serve(t)
	o := options(s, 200, 1)
	o.Ready = func([]byte) bool { return false }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // ends when a client has connected
		for {
			s.mu.Lock()
			n := len(s.requests)
			s.mu.Unlock()
			if n > 0 {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if c, err := Dial(ctx, o, nil); !errors.Is(err, context.Canceled) || c != nil {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestWhatComesBeforeSettleIsOverIsNotLost(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 2, 1))
	late := make(chan error, 1)
	n := 0
	r, err := c.Run(t.Context(), Traffic{Rate: 100, Size: 100, Duration: 50 * time.Millisecond, Settle: 20 * time.Second,
		Publish: func(room string, payload []byte) error {
			if n++; n < 5 {
				return s.send(room, -1, frame(opText, payload))
			}
			time.AfterFunc(100*time.Millisecond, func() { late <- s.send(room, -1, frame(opText, payload)) })
			return nil
		}}, nil)
	if err := errors.Join(err, <-late); err != nil {
		t.Fatal(err)
	}
	if r.Delivered != 10 || r.Lost != 0 || r.Latency.Max < 100*time.Millisecond {
		t.Errorf("delivered %d, lost %d, the last after %v; want 10, none, 100ms or more", r.Delivered, r.Lost, r.Latency.Max)
	}
}
