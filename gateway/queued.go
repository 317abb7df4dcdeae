package gateway

import "sync/atomic"

// A queued is one or more whole frames, but for the first of an outbox, which may be half sent.
type queued struct {
	b  []byte
	of *shared // the array is kept by other outboxes too; nil: by this one only
}

// A shared is an array that many outboxes may keep: it takes its memory once.
type shared struct {
	size   int          // bytes of the whole array, of which an outbox may have only the tail to send
	queues atomic.Int64 // how many outboxes keep it
}

// entryOverhead is what an entry of a queue is counted as beside its bytes: about what it takes to
// keep it, so that many tiny frames, such as pongs, are not free.
const entryOverhead = 64

// cost is what q counts as in the outbox that it waits in.
func (q queued) cost() int { return len(q.b) + entryOverhead }

// backlog is what waits in all outboxes of a gateway.
type backlog struct {
	most atomic.Int64 // memory that it may take, in bytes
	owed atomic.Int64 // bytes that wait for clients: the sum of what the outboxes count
	kept atomic.Int64 // memory that it takes, in bytes: what is shared counts once
}

// free is how much memory is left. It is below zero while frames are half sent, which must be kept.
func (b *backlog) free() int64 { return b.most.Load() - b.kept.Load() }

// add counts q as waiting.
func (b *backlog) add(q queued) {
	b.owed.Add(int64(q.cost()))
	switch {
	case q.of == nil:
		b.kept.Add(int64(q.cost()))
	case q.of.queues.Add(1) == 1:
		b.kept.Add(int64(q.of.size + entryOverhead))
	default:
		b.kept.Add(entryOverhead)
	}
}

// remove undoes add.
func (b *backlog) remove(q queued) {
	b.owed.Add(-int64(q.cost()))
	switch {
	case q.of == nil:
		b.kept.Add(-int64(q.cost()))
	case q.of.queues.Add(-1) == 0:
		b.kept.Add(-int64(q.of.size + entryOverhead))
	default:
		b.kept.Add(-entryOverhead)
	}
}
