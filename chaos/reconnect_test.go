//go:build linux

package chaos

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// Close codes of docs/protocol.md that the suite looks for.
const (
	codeRedis    = 4104
	codeDraining = 4201
	codeGap      = 4205
	codeNone     = 0 // the connection broke, without a close frame
)

// An ending is how a connection ended, or why there was none.
type ending struct {
	code   int           // of the close frame; codeNone: none came
	status int           // of a refused upgrade; 0: it was not refused
	after  time.Duration // when to come back, as the server has it; negative: it did not say
	bye    time.Time     // when that, or the close frame, was read; zero: it was not
	lived  time.Duration
	own    bool // the client ended it
}

// The rule of docs/protocol.md, Close codes.
const (
	backoffFirst   = time.Second
	backoffMost    = 30 * time.Second
	reconnectMost  = 5 * time.Second
	backoffForgets = 10 * time.Second
)

// A backoff draws the pauses between a client's connections.
type backoff struct{ attempts int }

// pause returns how long to wait before the next connection; false: there should be none.
func (b *backoff) pause(e ending) (time.Duration, bool) {
	if e.lived >= backoffForgets {
		b.attempts = 0
	}
	hopeless := e.status >= 400 && e.status < 500 && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
	switch {
	case e.code/100 == 40, hopeless:
		return 0, false
	case e.own:
		return rand.N(time.Second), true
	case e.code/100 == 42 && e.after >= 0:
		return e.after, true
	case e.code/100 == 42:
		return rand.N(reconnectMost), true
	}
	most := min(backoffFirst<<min(b.attempts, 5), backoffMost)
	b.attempts++
	return max(rand.N(most), e.after), true
}
