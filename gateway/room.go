package gateway

import (
	"runtime"
	"time"
)

// A room is who is in it, and what was published to it but not yet sent. Its lane owns it.
type room struct {
	name    string
	members []member
	count   [encodings]int // members by encoding
	pending []pending

	messages uint64 // that came for it
	seen     uint32 // of these, what Top saw last, modulo 2^32
	told     uint32 // and what it has told

	// While a large room is being sent to beside its lane (aside.go), its members only are read.
	busy    bool    // it is
	lost    bool    // messages were dropped, since backlog had no room for them
	sending int     // what the messages are counted as that it is sent
	backlog []event // what happens to it meanwhile, in order
	bytes   int     // what the messages in backlog are counted as
}

// A member stands in the room's list by value, for the sake of the caches: a fan-out walks it.
type member struct {
	c *conn
	m *membership
}

// A pending message came from Redis and waits for the end of its batch.
type pending struct {
	payload []byte
	at      int64 // on the gateway's clock
}

func (r *room) add(m *membership) {
	m.index = len(r.members)
	r.members = append(r.members, member{m.c, m})
	r.count[m.c.encoding]++
}

// remove takes m out, in a time that does not depend on the number of members.
func (r *room) remove(m *membership) {
	last := len(r.members) - 1
	moved := r.members[last]
	r.members[m.index] = moved
	moved.m.index = m.index
	r.members[last] = member{}
	r.members = r.members[:last]
	r.count[m.c.encoding]--
	if cap(r.members) > 64 && len(r.members) < cap(r.members)/4 {
		r.members = append(make([]member, 0, 2*len(r.members)), r.members...)
	}
}

// sendTurn is after how many sends, of some 6 µs each, others have their turn of the CPU: a raw send does
// not let go of it, and Go takes it away only after 10 ms.
const sendTurn = 128

// frameOverhead is at most what a frame has beside its payload and its room's name.
const frameOverhead = 64

// maxJoined bounds the frames that are joined into one write.
const maxJoined = 64 << 10

// deliver sends what is pending to every member.
func (r *room) deliver(g *Gateway) {
	r.sendAll(g, r.pending)
	clear(r.pending)
	r.pending = r.pending[:0]
	if cap(r.pending) > 1024 {
		r.pending = nil // a burst must not be paid for ever
	}
}

// sendAll sends messages to every member: their frames joined, built once for each encoding and
// shared by all.
func (r *room) sendAll(g *Gateway, messages []pending) {
	for first := 0; first < len(messages); {
		size, n := 0, first
		for ; n < len(messages); n++ {
			more := len(messages[n].payload) + len(r.name) + frameOverhead
			if n > first && size+more > maxJoined {
				break
			}
			size += more
		}
		r.send(g, messages[first:n])
		first = n
	}
}

// gap tells the members of r that messages may be missing.
func (r *room) gap(reason string) {
	for i, m := range r.members {
		if i%sendTurn == sendTurn-1 {
			runtime.Gosched()
		}
		m.c.gap(r.name, reason)
	}
}

// send sends messages to every member in one write each.
func (r *room) send(g *Gateway, messages []pending) {
	if len(r.members) == 0 {
		return
	}
	frames := r.encodeAll(messages, g.opts().CompressionThreshold)
	refused, late := 0, 0
	for i, m := range r.members {
		if i%sendTurn == sendTurn-1 {
			runtime.Gosched()
		}
		if err := m.c.out.sendQueued(frames[m.c.encoding]); err == nil {
			continue
		} else if m.c.slow(err) {
			late++
		} else {
			refused++
		}
	}
	took := time.Duration(g.now() - messages[0].at)
	g.metrics.delivered(len(messages), len(r.members)-refused-late, refused, late, took)
}

// encodeAll returns messages in every encoding that a member has.
func (r *room) encodeAll(messages []pending, threshold int) (frames [encodings]queued) {
	for f := range formats {
		plain, compressed := encodingOf(f, false), encodingOf(f, true)
		if r.count[plain]+r.count[compressed] > 0 {
			frames[plain].b = r.encode(f, messages)
		}
		if r.count[compressed] > 0 {
			frames[compressed].b = deflateFrames(frames[plain].b, threshold)
		}
	}
	if len(r.members) > 1 {
		of := new([encodings]shared)
		for e := range frames {
			of[e].size = cap(frames[e].b)
			frames[e].of = &of[e]
		}
	}
	return frames
}

// encode returns the frames of messages in format f, one behind the other.
func (r *room) encode(f format, messages []pending) []byte {
	size := 0
	for _, p := range messages {
		size += sizeHint(f, r.name, p.payload)
	}
	b := make([]byte, 0, size)
	for _, p := range messages {
		b = appendMessage(b, f, r.name, p.payload)
	}
	return b
}
