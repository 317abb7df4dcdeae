package gateway

import (
	"encoding/json"
	"errors"
	"log/slog"
)

// A selector says whom a control command is for: all that it names must be true of a connection.
type selector struct {
	Sub  string // the token's sub
	JTI  string // the token's jti
	Conn string // the connection's id, as hello and the logs have it
	Room string // a room that it is in
}

// controlQueue is how many commands may wait while one is carried out.
const controlQueue = 256

// Control takes a command that a backend published for every replica, such as
// {"disconnect":{"sub":"u1"}}: it ends the connections of u1 with code 4005. It does not
// block. A command that is not understood as a whole does nothing and is logged: half of a
// selector could mean everybody.
func (g *Gateway) Control(payload []byte) {
	s, err := parseControl(payload)
	if err != nil {
		g.metrics.control("invalid")
		g.logSampled(slog.LevelWarn, "control_refused", "control command refused", slog.String("error", err.Error()))
		return
	}
	select {
	case g.control <- s:
	default:
		g.metrics.control("overload")
		g.logSampled(slog.LevelError, "control_dropped", "control command dropped: too many at once")
	}
}

// parseControl reads a command. Its errors hold nothing of it.
func parseControl(payload []byte) (s selector, err error) {
	var command, named map[string]json.RawMessage
	if json.Unmarshal(payload, &command) != nil || len(command) != 1 || json.Unmarshal(command["disconnect"], &named) != nil {
		return s, errors.New(`not one JSON object like {"disconnect":{"sub":"u1"}}`)
	}
	if len(named) == 0 {
		return s, errors.New("it names nobody: give sub, jti, conn or room")
	}
	fields := map[string]*string{"sub": &s.Sub, "jti": &s.JTI, "conn": &s.Conn, "room": &s.Room}
	for key, value := range named {
		field := fields[key]
		if field == nil || json.Unmarshal(value, field) != nil || *field == "" { // null and "" too: a variable that was not set
			return selector{}, errors.New("each of sub, jti, conn and room that it names must be a string that is not empty, and nothing else may be there")
		}
	}
	return s, nil
}

// obey carries out commands, one at a time. It ends when stop is closed.
func (g *Gateway) obey(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case s := <-g.control:
			g.disconnect(s)
		}
	}
}

// disconnect ends the connections that s selects.
func (g *Gateway) disconnect(s selector) {
	n := 0
	for _, c := range g.candidates(s) {
		if s.selects(c) {
			c.end(endDisconnected)
			n++
		}
	}
	g.metrics.control("disconnect")
	g.logSampled(slog.LevelInfo, "control_disconnect", "disconnected by the backend", slog.Int("connections", n))
}

// Cut drops the connection of that id as a failing network does: without a close frame. It reports
// whether there was one. It is for trying how a client takes it.
func (g *Gateway) Cut(conn string) bool {
	for _, c := range g.all() {
		if c.name() == conn {
			c.end(endLost)
			return true
		}
	}
	return false
}

// candidates are the connections in the selector's room, or, if it has none, all.
func (g *Gateway) candidates(s selector) (list []*conn) {
	if s.Room == "" {
		return g.all()
	}
	done := make(chan struct{})
	l := g.laneOf(s.Room)
	l.post(event{kind: eventCall, room: s.Room, call: func() { // behind the joins that are under way
		defer close(done)
		if r := l.rooms[s.Room]; r != nil {
			for _, m := range r.members {
				list = append(list, m.c)
			}
		}
	}})
	<-done // lanes work until the gateway has stopped, after obey
	return list
}

// selects reports whether all that s names, but for the room, is true of c.
func (s selector) selects(c *conn) bool {
	if s.Conn != "" && s.Conn != c.name() {
		return false
	}
	if s.Sub == "" && s.JTI == "" {
		return true
	}
	session := c.session.Load()
	return session != nil &&
		(s.Sub == "" || s.Sub == session.grant.Subject) &&
		(s.JTI == "" || s.JTI == session.grant.ID)
}
