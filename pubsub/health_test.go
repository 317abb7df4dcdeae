package pubsub

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadinessRestsOnCanariesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health{grace: 10 * time.Second}
		h.blame(errors.New("connection refused"))
		is := func(want bool, when string) {
			t.Helper()
			if err := h.ready(time.Now()); (err == nil) != want {
				t.Errorf("%s: ready = %v, want %v", when, err, want)
			}
		}
		is(false, "at the start")
		if err := h.ready(time.Now()); !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("unready for %v, want connection refused", err)
		}
		h.prove(time.Now())
		is(true, "at the first canary")
		h.blame(errors.New("EOF"))
		time.Sleep(9 * time.Second)
		is(true, "nine seconds without one")
		h.prove(time.Now())
		time.Sleep(9 * time.Second)
		is(true, "nine seconds after a quick reconnect")
		h.blame(errors.New("EOF"))
		time.Sleep(time.Second)
		is(false, "ten seconds without one")

		h.prove(time.Now())
		is(false, "at the first one after that")
		time.Sleep(10 * time.Second)
		h.prove(time.Now())
		is(false, "at one that is not in a row")
		time.Sleep(3 * time.Second)
		h.prove(time.Now())
		is(true, "at two in a row")
		h.end(ErrClosed)
		is(false, "after the end")
	})
}

func TestBackoffDoublesToItsLimitWithFullJitter(t *testing.T) {
	var b backoff
	limit := minBackoff
	for range 12 {
		if got := b.next(); got < 0 || got >= limit || b.limit != limit {
			t.Errorf("paused %v of up to %v, want up to %v", got, b.limit, limit)
		}
		limit = min(2*limit, maxBackoff)
	}
	b.reset()
	if b.next(); b.limit != minBackoff {
		t.Errorf("after a reset up to %v, want %v", b.limit, minBackoff)
	}
}

func TestARedisThatStaysAwayIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text logged
		r := report{log: newTextLog(t, &text)}
		e := ending{reasonDial, errors.New("refused")}
		lines := func(want int, when string) {
			t.Helper()
			if got := strings.Count(text.String(), "\n"); got != want {
				t.Errorf("%s: %d lines, want %d", when, got, want)
			}
		}
		r.down(e, 0, 0)
		lines(1, "the first failure")
		r.down(e, 0, 0)
		lines(1, "the second, at once")
		r.down(e, time.Second, 0)
		lines(2, "the loss of a link that was live")
		time.Sleep(quiet)
		r.down(e, 0, 0)
		lines(3, "a failure ten seconds later")
		if !strings.Contains(text.String(), "unmentioned=1") {
			t.Errorf("the one that was not logged is not counted:\n%s", text.String())
		}
	})
}
