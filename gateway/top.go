package gateway

import (
	"context"
	"strings"
	"sync"
	"time"
)

// A Top is who and what is busiest here. Room names and users are in it: it is for operators.
type Top struct {
	Over       time.Duration // in which messages were counted: since the Top before, or since the start
	Rooms      int           // that have members
	ByMembers  []RoomCount   // most members first
	ByMessages []RoomCount   // most messages first; those without one are not in it
	Talkers    []Talker      // most messages first
}

// A RoomCount is what there is of a room.
type RoomCount struct {
	Room     string
	Members  int
	Messages uint64 // that came for it from Redis, but for those that were dropped before its lane had them
}

// A Talker is a user who has sent messages, refused ones too, on the connections there still are.
type Talker struct {
	Sub         string // of the token; empty: it has none, and Conn tells who it is
	Conn        string // the connection's id, as hello and the logs have it; empty if there is a Sub
	Messages    uint64
	Connections int
}

// looks are what Top must remember from one call to the next.
type looks struct {
	mu   sync.Mutex // held during a Top: guards what follows, and told of every connection
	at   int64      // when Top was last told, on the gateway's clock
	n    uint64     // how often Top was called
	told uint64     // of these, the last that every lane answered
}

// Top returns the n busiest rooms and users. Messages count since the call before, so that who calls at a
// steady pace has rates. It walks all rooms and connections: each lane is kept from its work
// for as long as its own rooms take, some 150 to 260 ns each, and no longer. An error says which
// lane did not answer before ctx ended; what the others answered counts for the next call.
func (g *Gateway) Top(ctx context.Context, n int) (Top, error) {
	g.looks.mu.Lock()
	defer g.looks.mu.Unlock()
	g.looks.n++
	look, told := g.looks.n, g.looks.told
	lanes, err := askLanes(ctx, g, func(l *lane) laneTop { return l.top(n, look, told) })
	if err != nil {
		return Top{}, err
	}
	g.looks.told = look
	now := g.now()
	t := Top{Over: time.Duration(now - g.looks.at), Talkers: g.talkers(n)}
	g.looks.at = now
	all := newLaneTop(n)
	for _, l := range lanes {
		t.Rooms += l.rooms
		all.members.take(l.members)
		all.messages.take(l.messages)
	}
	t.ByMembers, t.ByMessages = all.members.items(), all.messages.items()
	return t, nil
}

// A laneTop is a lane's part of a Top.
type laneTop struct {
	rooms             int
	members, messages ranking[RoomCount]
}

func newLaneTop(n int) laneTop {
	return laneTop{members: ranking[RoomCount]{most: n}, messages: ranking[RoomCount]{most: n}}
}

// top looks at the lane's rooms, for the look of that number. told is the last of which the answers were of use: if that
// is the lane's last, what it said is told. The lane's runner calls it.
func (l *lane) top(n int, look, told uint64) laneTop {
	t := newLaneTop(n)
	t.rooms = len(l.rooms)
	settled := l.looked == told
	l.looked = look
	for name, r := range l.rooms {
		if settled {
			r.told = r.seen
		}
		r.seen = uint32(r.messages)
		c := RoomCount{Room: name, Members: len(r.members), Messages: uint64(r.seen - r.told)}
		t.members.offer(ranked[RoomCount]{uint64(c.Members), name, c})
		if c.Messages > 0 {
			t.messages.offer(ranked[RoomCount]{c.Messages, name, c})
		}
	}
	return t
}

// talkers looks at the connections. What it remembers of users is at most as many as there are connections, 80 bytes each, and only
// until it returns. g.looks.mu is held.
func (g *Gateway) talkers(n int) []Talker {
	best, subs := ranking[Talker]{most: n}, map[string]uint64{}
	for _, c := range g.list() {
		sent := c.sent.Load()
		messages := uint64(sent - c.told)
		c.told = sent
		switch sub := c.subject(); {
		case messages == 0:
		case sub == "":
			best.offer(ranked[Talker]{messages, c.name(), Talker{Conn: c.name(), Messages: messages, Connections: 1}})
		default:
			subs[sub] += messages
		}
	}
	for sub, messages := range subs {
		best.offer(ranked[Talker]{messages, sub, Talker{Sub: sub, Messages: messages}})
	}
	list := best.items()
	for i := range list {
		if t := &list[i]; t.Sub != "" {
			t.Connections = g.users.now(t.Sub)
		}
	}
	return list
}

// A ranking keeps the most highest of what it is offered, highest first. Among equals names decide, so that
// two looks at what has not changed are the same.
type ranking[T any] struct {
	most int
	list []ranked[T]
}

type ranked[T any] struct {
	count uint64
	name  string
	item  T
}

func (a *ranked[T]) before(b *ranked[T]) bool {
	return a.count > b.count || a.count == b.count && strings.Compare(a.name, b.name) < 0
}

// offer is for most items a comparison with the last: no heap is needed.
func (r *ranking[T]) offer(item ranked[T]) {
	last := len(r.list) - 1
	if len(r.list) < r.most {
		r.list = append(r.list, item)
		last++
	} else if last < 0 || !item.before(&r.list[last]) {
		return
	}
	i := last
	for ; i > 0 && item.before(&r.list[i-1]); i-- {
		r.list[i] = r.list[i-1]
	}
	r.list[i] = item
}

func (r *ranking[T]) take(other ranking[T]) {
	for _, item := range other.list {
		r.offer(item)
	}
}

func (r *ranking[T]) items() []T {
	list := make([]T, len(r.list))
	for i := range r.list {
		list[i] = r.list[i].item
	}
	return list
}
