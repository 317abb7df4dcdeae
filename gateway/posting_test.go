package gateway

import (
	"testing"
	"time"
)

// sustained posts n members' messages at a rate for ten seconds, and returns which share of them the poster delivers.
func sustained(n, perSecond int) float64 {
	var p posting
	taken, total := 0, 10*perSecond
	for i := range total {
		if p.take(n, int64(time.Minute)+int64(i)*int64(time.Second)/int64(perSecond)) {
			taken++
		}
	}
	return float64(taken) / float64(total)
}

func TestPosterDeliversMediumRoomsWhileItHasTime(t *testing.T) {
	if got := sustained(10, 2000); got != 1 { // 160 ms a second
		t.Errorf("of 2,000 messages a second to 10 members it delivers %.2f, want all", got)
	}
	if got := sustained(mediumRoom, 10); got != 1 {
		t.Errorf("of 10 messages a second to %d members it delivers %.2f, want all", mediumRoom, got)
	}
}

// Half of its time is all that it gives, whatever is published: or else it would read too slowly, and nothing would merge.
func TestPosterNeverDeliversForMoreThanItsShare(t *testing.T) {
	for _, perSecond := range []int{20_000, 100_000} {
		spent := sustained(10, perSecond) * float64(perSecond) * 10 * sendTime.Seconds()
		if spent > 1.001/postingShare || spent < .99/postingShare {
			t.Errorf("at %d messages/s it delivers for %.3f of the time, want 1/%d", perSecond, spent, postingShare)
		}
	}
}

func TestBurstIsHandedOverToTheLanesSoon(t *testing.T) {
	var p posting
	now, taken := int64(time.Minute), 0
	for range 1000 {
		if p.take(mediumRoom, now) {
			taken++
		}
	}
	if most := int(postingBurst / (mediumRoom * postingShare * sendTime)); taken != most || taken == 0 {
		t.Errorf("of a burst at one instant it delivers %d, want %d", taken, most)
	}
}
