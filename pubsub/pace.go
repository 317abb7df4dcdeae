package pubsub

import (
	"math/rand/v2"
	"time"
)

// The least pause between two looks at the slot table is one of these, or between them.
const (
	minLook = 100 * time.Millisecond
	maxLook = 2 * time.Second
)

// A pace is how soon the slot table may be looked at again. It doubles while nodes do not agree or somebody asks for no
// reason: every replica of the gateway looks, and a Cluster in trouble has enough to do.
type pace struct {
	pause time.Duration // set by the first looked
}

// looked is for a look that is over. agreed: all nodes said the same. news: the table changed. hinted: somebody had
// asked for the look.
func (p *pace) looked(agreed, news, hinted bool) {
	switch {
	case p.pause == 0, agreed && (news || !hinted):
		p.pause = minLook
	case news: // slots move, and nodes learn of it one after the other; or they will not agree
	default:
		p.pause = min(2*p.pause, maxLook)
	}
}

// jitter is d, or as little as half of it, so that replicas do not look in step.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/2) }
