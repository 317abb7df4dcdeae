package gateway

import "time"

// A pace is a rate limit by the generic cell rate algorithm (GCRA): one number, the time at
// which the bucket will be empty again. It belongs to one goroutine.
type pace struct {
	emptyAt int64 // nanoseconds on the gateway's clock; 0 is an empty bucket
}

// A paceLimit is what a pace is held to. The zero value allows everything.
type paceLimit struct {
	interval time.Duration // between two events in the long run; 0: no limit
	burst    int           // events allowed at once
}

// perMinute returns the limit of n events a minute, all of them at once if need be. n of 0
// allows everything.
func perMinute(n int) paceLimit { return perMinuteBurst(n, n) }

// perMinuteBurst is perMinute with burst events at once.
func perMinuteBurst(n, burst int) paceLimit {
	if n <= 0 {
		return paceLimit{}
	}
	return paceLimit{interval: time.Minute / time.Duration(n), burst: max(burst, 1)}
}

// allow counts one event at now, unless it is over the limit: then it reports false and
// counts nothing.
func (p *pace) allow(l paceLimit, now int64) bool {
	if l.interval == 0 {
		return true
	}
	step := int64(l.interval)
	emptyAt := max(p.emptyAt, now) + step
	if emptyAt-now > step*int64(l.burst) {
		return false
	}
	p.emptyAt = emptyAt
	return true
}
