package load

import (
	"bytes"
	"slices"
)

// A run is the messages with one marker, and what came of them. Clients.mu guards it.
type run struct {
	marker string
	size   int  // bytes of a message
	any    bool // nothing is published: each message of others that comes is one delivery

	delivered  int64 // each message once for each member
	missing    int64 // of those before which a later one came
	duplicated int64
	outOfOrder int64
	strays     int64
	latency    histogram
	last       int64 // clock at the last delivery

	// The members of a room get the same stamp one after another.
	text  [stampLen]byte
	stamp stamp
}

// A track is what one client has of a run.
type track struct {
	next   uint32 // number of the message that should come
	holes  []hole // in order: what of those before is missing
	offset int    // at which the marker was in the last frame
}

// A hole is the messages from, up to but not including to.
type hole struct{ from, to uint32 }

// holesMost is how many holes a client remembers. What comes out of an older one counts as
// duplicated, and as lost.
const holesMost = 1024

// take counts what of the run is in payload, which came at now to a member of room. It reports whether
// payload is made of messages such as ours; those of earlier runs count for nothing.
func (r *run) take(t *track, room uint32, payload []byte, now int64) (ours bool) {
	at := t.offset
	if at+markerLen > len(payload) || string(payload[at:at+len(prefix)]) != prefix {
		if at = bytes.Index(payload, []byte(prefix)); at < 0 {
			return false
		}
		t.offset = at
	}
	for {
		text, next := at+markerLen, at+len(prefix)
		if text+stampLen > len(payload) {
			return true
		}
		if string(payload[at:text]) == r.marker && r.read(payload[text:text+stampLen]) {
			r.count(t, room, now)
			next = at + r.size - 1 // not before there can another one begin, if a server puts several in a frame
		}
		if next+markerLen > len(payload) {
			return true
		}
		more := bytes.Index(payload[next:], []byte(prefix))
		if more < 0 {
			return true
		}
		at = next + more
	}
}

// takeAny counts a message that somebody else has made.
func (r *run) takeAny(now int64) {
	r.delivered++
	r.last = now
}

// read puts the stamp that text is into r.stamp.
func (r *run) read(text []byte) bool {
	if string(text) == string(r.text[:]) {
		return true
	}
	s, ok := parseStamp(text)
	if ok {
		copy(r.text[:], text)
		r.stamp = s
	}
	return ok
}

// count counts one message, that of r.stamp.
func (r *run) count(t *track, room uint32, now int64) {
	number := r.stamp.number
	switch {
	case r.stamp.room != room:
		r.strays++
		return
	case number == t.next:
		t.next++
	case number > t.next:
		r.missing += int64(number - t.next)
		t.holes = append(t.holes, hole{t.next, number})
		if len(t.holes) > holesMost {
			t.holes = slices.Delete(t.holes, 0, 1)
		}
		t.next = number + 1
	case t.fill(number):
		r.missing--
		r.outOfOrder++
	default:
		r.duplicated++
		return
	}
	r.delivered++
	r.last = now
	r.latency.add(now - r.stamp.at)
}

// fill takes number out of the holes, and reports whether it was in one.
func (t *track) fill(number uint32) bool {
	i := slices.IndexFunc(t.holes, func(h hole) bool { return h.from <= number && number < h.to })
	if i < 0 {
		return false
	}
	h := t.holes[i]
	var left []hole
	if h.from < number {
		left = append(left, hole{h.from, number})
	}
	if number+1 < h.to {
		left = append(left, hole{number + 1, h.to})
	}
	t.holes = slices.Replace(t.holes, i, i+1, left...)
	return true
}
