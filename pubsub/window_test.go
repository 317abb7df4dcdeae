package pubsub

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// newReadLink returns a link of one master of two, on no connection: the test says what is read. Rooms a1, a2 and
// a3 are joined there, and belong there.
func newReadLink(t *testing.T) (l *link, c *fakeCluster, r *recorder) {
	t.Helper()
	c = newFakeCluster(2)
	r = newRecorder()
	b := &Broker{o: Options{ChannelPrefix: prefix}, rooms: c.rs, canary: canaryPrefix + "x"}
	b.shards = newShards(b, nil)
	var err error
	if b.metrics, err = newMetrics(b); err != nil {
		t.Fatal(err)
	}
	l = &link{b: b, p: c.links[0].p, r: r, log: b.o.log()}
	l.canary.Store(&b.canary)
	for _, name := range []string{"a1", "a2", "a3"} {
		c.move(name, 0)
	}
	c.look()
	now := time.Unix(0, 0)
	for _, name := range []string{"a1", "a2", "a3"} {
		if _, err := c.rs.hold(name); err != nil {
			t.Fatal(err)
		}
	}
	batch, _ := c.rs.takeJoins(l.p, 3)
	for _, rm := range batch {
		c.rs.confirmJoin(rm, now)
	}
	return l, c, r
}

var errMoved = fmt.Errorf("%w", redisError("MOVED 42 127.0.0.1:1"))

type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// Rooms a1 and a2 are being left, and a3 is held, while their slot moves away. Whatever of Redis's words answers
// which, in the end a1 and a2 are forgotten, and a3 is to be subscribed anew and owed a gap.
func TestWhatRedisSaysUnaskedIsToldFromWhatItWasAsked(t *testing.T) {
	const moved, pong = "MOVED", "PONG"
	for name, said := range map[string][]string{
		"unasked first, in another order": {"a2", "a3", "a1", moved, pong},
		"unasked first, in that order":    {"a1", "a2", "a3", moved, pong},
		"asked, then unasked":             {"a1", "a2", pong, "a3"},
		"asked, with one unasked between": {"a1", "a3", "a2", pong},
		"moved and back, so said twice":   {"a1", "a2", "a3", "a1", "a2", pong},
	} {
		l, c, _ := newReadLink(t)
		now := time.Now()
		c.rs.drop("a1", now.Add(-time.Hour))
		c.rs.drop("a2", now.Add(-time.Hour))
		batch := c.rs.takeLeaves(l.p, now, 10)
		if len(batch) != 2 {
			t.Fatalf("%s: %d rooms to leave, want 2", name, len(batch))
		}
		w := l.begin(&window{kind: l.leaving(), commands: []*command{{rooms: batch}}})
		for _, word := range said {
			switch word {
			case moved:
				if !l.refused(errMoved) {
					t.Errorf("%s: the error is nobody's", name)
				}
			case pong:
				if err := l.ponged(w.fence); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			default:
				if err := l.confirmed(&redis.Subscription{Kind: "sunsubscribe", Channel: prefix + word}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		select {
		case <-w.done:
		default:
			t.Errorf("%s: not done", name)
		}
		for _, rm := range batch { // as leave does
			c.rs.confirmLeave(l.p, rm)
		}
		if c.rs.byName["a1"] != nil || c.rs.byName["a2"] != nil {
			t.Errorf("%s: what was left is not forgotten", name)
		}
		if rm := c.rs.byName["a3"]; rm.state != absent || !l.p.later.has(rm) || !rm.lost {
			t.Errorf("%s: the room that is held is in state %d, lost %v", name, rm.state, rm.lost)
		}
		if err := c.rs.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Replies to commands that were sent together are given to the right ones.
func TestAnErrorIsThatOfTheOldestCommandWithoutAnAnswer(t *testing.T) {
	l, c, r := newReadLink(t)
	confirmations := map[string]*confirmation{}
	for _, name := range []string{"b1", "b2", "b3", "b4"} {
		c.move(name, 0)
	}
	c.look()
	for _, name := range []string{"b1", "b2", "b3", "b4"} {
		confirmations[name], _ = c.rs.hold(name)
	}
	batch, _ := c.rs.takeJoins(l.p, 4)
	w := l.begin(&window{kind: l.joining(), commands: []*command{{rooms: batch[:1]}, {rooms: batch[1:2]}, {rooms: batch[2:3]}, {rooms: batch[3:]}}})
	refusal := redisError("NOPERM no")
	confirm := func(name string) {
		if err := l.confirmed(&redis.Subscription{Kind: "ssubscribe", Channel: prefix + name}); err != nil {
			t.Error(err)
		}
	}
	confirm("b1")
	if !l.refused(refusal) || !l.refused(errMoved) {
		t.Error("an error was nobody's")
	}
	confirm("b4")
	<-w.done
	for name, want := range map[string]bool{"b1": true, "b2": true, "b3": false, "b4": true} {
		if got := (waiter{name, confirmations[name]}).done(); got != want {
			t.Errorf("%s was answered: %v, want %v", name, got, want)
		}
	}
	if err := confirmations["b2"].err; !errors.Is(err, ErrRefused) {
		t.Errorf("b2 got %v, want a refusal", err)
	}
	if w.commands[1].err == nil || w.commands[2].err == nil || w.commands[0].err != nil || w.commands[3].err != nil {
		t.Error("the errors are not those of the second and third")
	}
	if err := l.confirmed(&redis.Subscription{Kind: "ssubscribe", Channel: prefix + "b4"}); err == nil {
		t.Error("a confirmation that nobody asked for was taken")
	}
	if l.refused(refusal) {
		t.Error("an error that nobody asked for was taken")
	}
	if len(r.gapsByRoom()) > 0 {
		t.Error("a gap was told")
	}
	if err := c.rs.check(); err != nil {
		t.Error(err)
	}
}
