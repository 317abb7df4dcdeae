package main

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// An ended says how a client's connection ended, or why there was none.
type ended struct {
	status int           // of a refused upgrade; 0: it was not refused
	code   int           // of the close frame; 0: none came
	text   string        // what to tell
	after  time.Duration // when to come back, as the server has it; negative: it did not say
	lived  time.Duration
}

// The rule of docs/protocol.md, Close codes.
const (
	backoffFirst   = time.Second
	backoffMost    = 30 * time.Second
	reconnectMost  = 5 * time.Second  // 42xx without a time
	backoffForgets = 10 * time.Second // a connection that lived so long was a good one
)

// A backoff draws the pauses between a client's connections.
type backoff struct {
	attempts int // in a row that came to nothing
}

// pause returns how long to wait before the next connection; false: there should be none.
func (b *backoff) pause(e ended) (time.Duration, bool) {
	if e.lived >= backoffForgets {
		b.attempts = 0
	}
	switch {
	case e.code/100 == 40, hopeless(e.status):
		return 0, false
	case e.code/100 == 42 && e.after >= 0:
		return e.after, true
	case e.code/100 == 42:
		return rand.N(reconnectMost), true
	}
	most := backoffMost
	if b.attempts < 5 { // 2^5 s is beyond the most
		most = backoffFirst << b.attempts
	}
	b.attempts++
	return max(rand.N(most), e.after), true
}

// hopeless reports whether the same request would be refused again.
func hopeless(status int) bool {
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}
