package gateway

import (
	"sync/atomic"
	"time"
)

// A posting is how much of its time whoever posts messages, which is the reader of Redis, has spent on delivering to
// medium rooms. It saves a wake-up for each message so, which is worth it as long as the reader is not needed elsewhere: with
// more to read than that, it reads, the lanes' goroutines deliver on all CPUs, and messages merge (docs/adr/0032).
//
// It is a virtual clock (GCRA): each delivery moves it on by what it takes off the share, and it may run ahead of the real
// one never, and behind it by a burst at most. Many may take at once.
type posting struct {
	spent atomic.Int64 // up to when the time is spent, on the gateway's clock
}

const (
	sendTime     = 8 * time.Microsecond // about what a send takes
	postingShare = 2                    // one part in so many of the time may be spent
	postingBurst = time.Millisecond     // may be spent at once, times the share: what waits behind waits half of it
)

// take reports whether there is time for n sends at now, and takes it.
func (p *posting) take(n int, now int64) bool {
	cost := int64(n) * postingShare * int64(sendTime)
	for {
		spent := p.spent.Load()
		next := max(spent, now-int64(postingBurst)) + cost
		if next > now {
			return false
		}
		if p.spent.CompareAndSwap(spent, next) {
			return true
		}
	}
}
