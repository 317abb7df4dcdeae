package main

import (
	"testing"
	"time"
)

func TestReconnectFollowsTheCloseCode(t *testing.T) {
	const never = -1 * time.Millisecond
	for _, c := range []struct {
		ended
		least, most time.Duration // never: no reconnect
	}{
		{ended{code: 4002, after: -1}, never, never},
		{ended{code: 4005, after: -1}, never, never},
		{ended{status: 403, after: -1}, never, never},
		{ended{status: 426, after: -1}, never, never},
		{ended{status: 429, after: 2 * time.Second}, 2 * time.Second, 2 * time.Second},
		{ended{status: 503, after: 5 * time.Second}, 5 * time.Second, 5 * time.Second},
		{ended{code: 4102, after: -1}, 0, backoffFirst},
		{ended{code: 1006, after: -1}, 0, backoffFirst},
		{ended{code: 1011, after: -1}, 0, backoffFirst},
		{ended{after: -1}, 0, backoffFirst},
		{ended{code: 4201, after: 1830 * time.Millisecond}, 1830 * time.Millisecond, 1830 * time.Millisecond},
		{ended{code: 4202, after: -1}, 0, reconnectMost},
	} {
		var b backoff
		pause, again := b.pause(c.ended)
		if want := c.most != never; again != want {
			t.Errorf("after %+v: reconnects %v, want %v", c.ended, again, want)
		}
		if again && (pause < c.least || pause > c.most) {
			t.Errorf("after %+v: pause of %v, want %v to %v", c.ended, pause, c.least, c.most)
		}
	}
}

func TestBackoffGrowsToItsLimitAndForgets(t *testing.T) {
	var b backoff
	lost := ended{code: 1006, after: -1}
	longest := time.Duration(0)
	for i := range 200 {
		pause, _ := b.pause(lost)
		if limit := backoffFirst << min(i, 5); pause > min(limit, backoffMost) {
			t.Errorf("pause %d is %v, want at most %v", i, pause, limit)
		}
		longest = max(longest, pause)
	}
	if longest < backoffMost/2 {
		t.Errorf("the longest of 200 pauses is %v, want some near %v", longest, backoffMost)
	}
	lost.lived = time.Minute
	if pause, _ := b.pause(lost); pause > backoffFirst {
		t.Errorf("after a connection that lived: pause of %v, want at most %v", pause, backoffFirst)
	}
}
