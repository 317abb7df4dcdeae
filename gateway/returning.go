package gateway

import (
	"hash/maphash"
	"sync"
	"time"
)

// returning counts clients that come back: the same user from the same address within a
// minute or two of leaving this node. Many of them say that something drops connections. It
// remembers hashes only, and a bounded number of them.
type returning struct {
	mu       sync.Mutex // guards what follows
	recent   map[uint64]struct{}
	older    map[uint64]struct{}
	rotateAt int64
}

const (
	returningSpan = int64(time.Minute)
	returningMost = 1 << 16 // hashes in each of the two generations
)

// left remembers a client that leaves.
func (r *returning) left(c *conn) {
	key := c.clientKey()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(c.g.now())
	if len(r.recent) < returningMost {
		r.recent[key] = struct{}{}
	}
}

// came reports whether the client of c has left not long ago.
func (r *returning) came(c *conn) bool {
	key := c.clientKey()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotate(c.g.now())
	_, recent := r.recent[key]
	_, older := r.older[key]
	delete(r.recent, key)
	delete(r.older, key)
	return recent || older
}

// rotate forgets what is older than the span. r.mu is held.
func (r *returning) rotate(now int64) {
	if now < r.rotateAt && r.recent != nil {
		return
	}
	r.older = r.recent
	if now >= r.rotateAt+returningSpan {
		r.older = nil
	}
	r.recent = make(map[uint64]struct{})
	r.rotateAt = now + returningSpan
}

// clientKey stands for the user and the address of c.
func (c *conn) clientKey() uint64 {
	var h maphash.Hash
	h.SetSeed(c.g.seed)
	_, _ = h.WriteString(c.subject()) // never fails
	_ = h.WriteByte(0)
	addr := c.client.addr.As16()
	_, _ = h.Write(addr[:])
	return h.Sum64()
}
