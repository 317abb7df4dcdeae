//go:build linux

package chaos

import (
	"testing"
	"time"
)

// A busy balancer sees at once what was let in one after the other.
func TestAPeakIsOfWhatWasCertainlyLetInWithinASecond(t *testing.T) {
	t0 := time.Now()
	at := func(began, seen time.Duration) upgrade { return upgrade{t0.Add(began), t0.Add(seen)} }
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		upgrades []upgrade
		want     int
	}{
		"none":                         {nil, 0},
		"at once":                      {[]upgrade{at(0, ms), at(0, ms), at(0, ms)}, 3},
		"a second apart":               {[]upgrade{at(0, ms), at(time.Second, time.Second+ms)}, 1},
		"in a second, seen in another": {[]upgrade{at(0, 1500*ms), at(100*ms, 1500*ms), at(200*ms, 1500*ms), at(1400*ms, 1500*ms)}, 1},
		"in any order":                 {[]upgrade{at(1800*ms, 1900*ms), at(950*ms, 960*ms), at(0, ms), at(900*ms, 910*ms)}, 3},
	} {
		if got := peak(c.upgrades); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
