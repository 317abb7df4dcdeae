package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

func TestMain(m *testing.M) {
	secrecy.Secret(string(testSecret))
	secrecy.Main(m, secrecy.Logs, secrecy.Pages, secrecy.Errors)
}

// A world is a gateway behind a real HTTP server, with rooms that live in the test.
type world struct {
	*Gateway
	t     testing.TB
	rooms *testRooms
	url   string // ws://…/ws
	logs  *logBuffer
}

const testLeeway = 30 * time.Second

var testSecret = []byte("a secret of tests, forty-eight bytes long, really")

// newWorld starts a gateway. Its invariants are checked at the end of the test.
func newWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, ln, change)
	w.url = "ws://" + ln.Addr().String() + "/ws"
	return w
}

// newWorldOn is newWorld with a listener of the test's own.
func newWorldOn(t testing.TB, ln net.Listener, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, rooms: &testRooms{subscribed: map[string]int{}}, logs: &logBuffer{}, url: "ws://gateway/ws"}
	tokens, err := auth.New(auth.Options{Issuers: []auth.Issuer{{Secrets: [][]byte{testSecret}, Leeway: testLeeway}}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Rooms: w.rooms, Tokens: tokens, Metrics: secrecy.Registry(t),
		Log: secrecy.Log(t, slog.NewJSONHandler(w.logs, nil))}
	if change != nil {
		change(&o)
	}
	w.Gateway, err = New(o)
	if err != nil {
		t.Fatal(err)
	}
	w.rooms.g = w.Gateway

	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	server := &http.Server{Handler: w.Gateway, ReadHeaderTimeout: time.Minute}
	running.Go(func() { _ = server.Serve(ln) })
	t.Cleanup(func() {
		checking, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := w.Check(checking); err != nil {
			t.Errorf("invariants: %v", err)
		}
		_ = server.Close()
		cancel()
		running.Wait()
		w.rooms.wantNone(t)
	})
	return w
}

// token returns a token for rooms, of user u1, that is good for an hour.
func (w *world) token(rooms ...string) string {
	return w.tokenWith(map[string]any{"rooms": rooms})
}

// tokenWith is token with claims of the test's own.
func (w *world) tokenWith(claims map[string]any) string {
	w.t.Helper()
	all := map[string]any{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	token, err := auth.Sign(testSecret, all)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// dialV1 connects in roomgate.v1 and reads hello.
func (w *world) dialV1(token string) *wstest.Client {
	w.t.Helper()
	c := wstest.Dial(w.t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token)
	c.WantType("hello")
	return c
}

// dialRaw connects in roomgate.raw.v1 and waits until its rooms are joined.
func (w *world) dialRaw(token string, rooms ...string) *wstest.Client {
	w.t.Helper()
	before := map[string]int{}
	for _, r := range rooms {
		before[r] = w.members(r)
	}
	c := wstest.Dial(w.t, w.url, "Authorization: Bearer "+token)
	for _, r := range rooms {
		w.await("joined "+r, func() bool { return w.members(r) > before[r] })
	}
	return c
}

// members returns how many members a room has here.
func (w *world) members(name string) (n int) {
	done := make(chan struct{})
	l := w.laneOf(name)
	l.post(event{kind: eventCall, call: func() {
		defer close(done)
		if r := l.rooms[name]; r != nil {
			n = len(r.members)
		}
	}})
	<-done
	return n
}

// await waits for a condition.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(wstest.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// testRooms is a Redis of one process: what is published is delivered, if it is subscribed to.
type testRooms struct {
	g *Gateway

	mu         sync.Mutex
	subscribed map[string]int
	down       error         // what every call answers
	gate       chan struct{} // Subscribe waits for it, if not nil
}

func (r *testRooms) Subscribe(ctx context.Context, room string) error {
	r.mu.Lock()
	gate, down := r.gate, r.down
	r.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if down != nil {
		return down
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subscribed[room]++
	return nil
}

func (r *testRooms) Unsubscribe(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.subscribed[room]--; r.subscribed[room] == 0 {
		delete(r.subscribed, room)
	}
}

func (r *testRooms) Publish(_ context.Context, room string, payload []byte) error {
	if err := r.Ready(); err != nil {
		return err
	}
	r.mu.Lock()
	n := r.subscribed[room]
	r.mu.Unlock()
	if n > 0 {
		r.g.Deliver(room, append([]byte(nil), payload...))
	}
	return nil
}

func (r *testRooms) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

// fail makes every call answer an error; nil: work again.
func (r *testRooms) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

// wantNone expects every Subscribe to have had its Unsubscribe.
func (r *testRooms) wantNone(t testing.TB) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.subscribed) > 0 {
		t.Errorf("subscriptions left after the end: %v", r.subscribed)
	}
}

var errDown = errors.New("Redis is down")

// publish publishes a text to a room.
func (w *world) publishText(room, format string, args ...any) {
	w.t.Helper()
	if err := w.rooms.Publish(context.Background(), room, fmt.Appendf(nil, format, args...)); err != nil {
		w.t.Fatal(err)
	}
}

// A logBuffer keeps what was logged.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
