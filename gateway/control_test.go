package gateway

import (
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/wstest"
)

func TestControlDisconnectsExactlyWhomItSelects(t *testing.T) {
	const refused = "refused"
	for command, ended := range map[string]string{
		`{"disconnect":{"sub":"u1"}}`:                   "ab",
		`{"disconnect":{"sub":"u2"}}`:                   "c",
		`{"disconnect":{"jti":"j1"}}`:                   "a",
		`{"disconnect":{"room":"42"}}`:                  "ac",
		`{"disconnect":{"room":"42","sub":"u1"}}`:       "a",
		`{"disconnect":{"sub":"u2","jti":"j1"}}`:        "",
		`{"disconnect":{"room":"nowhere"}}`:             "",
		`{"disconnect":{"conn":"0000000000000000"}}`:    "",
		`{"disconnect":{}}`:                             refused,
		`{"disconnect":{"sub":""}}`:                     refused,
		`{"disconnect":{"sub":"","room":"42"}}`:         refused,
		`{"disconnect":{"sub":null,"room":"42"}}`:       refused,
		`{"disconnect":{"SUB":"u1"}}`:                   refused,
		`{"disconnect":{"sub":"u1"}}}`:                  refused,
		`{"disconnect":{"subject":"u1"}}`:               refused,
		`{"disconnect":{"sub":"u1","device":"phone"}}`:  refused,
		`{"disconnect":{"sub":"u1"}} {"disconnect":{}}`: refused,
		`{"kick":{"sub":"u1"}}`:                         refused,
		`{"disconnect":{"sub":["u1"]}}`:                 refused,
		`[]`:                                            refused,
		`u1`:                                            refused,
	} {
		t.Run(command, func(t *testing.T) {
			w := newWorld(t, nil)
			clients := map[string]*wstest.Client{
				"a": w.dialV1(w.tokenWith(map[string]any{"sub": "u1", "jti": "j1", "rooms": "42"})),
				"b": w.dialV1(w.tokenWith(map[string]any{"sub": "u1", "jti": "j2", "rooms": "43"})),
				"c": w.dialV1(w.tokenWith(map[string]any{"sub": "u2", "jti": "j3", "rooms": "42 43"})),
			}
			w.Control([]byte(command))
			result := "disconnect"
			if ended == refused {
				result, ended = "invalid", ""
			}
			w.await("carried out", func() bool { return counterValue(t, w.metrics.controls.WithLabelValues(result)) == 1 })
			for name, c := range clients {
				if strings.Contains(ended, name) {
					c.WantClose(4005)
					continue
				}
				c.SendText(`{"type":"ping"}`)
				c.WantType("pong")
			}
			if strings.Contains(w.logs.String(), "device") || strings.Contains(w.logs.String(), "subject") {
				t.Error("a command that was refused stands in the log")
			}
		})
	}
}

func TestControlFindsAConnectionByTheIDOfItsHello(t *testing.T) {
	w := newWorld(t, nil)
	c := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer "+w.token("42"))
	id := c.WantType("hello")["conn"].(string)
	other := w.dialV1(w.token("42"))
	w.Control([]byte(`{"disconnect":{"conn":"` + id + `"}}`))
	c.WantClose(4005)
	other.SendText(`{"type":"ping"}`)
	other.WantType("pong")
}

func TestCutDropsThatConnectionWithoutACloseFrame(t *testing.T) {
	w := newWorld(t, nil)
	cut := wstest.Dial(t, w.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+w.token("42"))
	conn, other := cut.WantType("hello")["conn"].(string), w.dialV1(w.token("42"))
	if !w.Cut(conn) {
		t.Fatal("there is no such connection")
	}
	cut.WantGone()
	other.SendText(`{"type":"ping"}`)
	other.WantType("pong")
	w.await("its end", func() bool { return w.Connections() == 1 })
	if w.Cut(conn) {
		t.Error("a connection that has gone was cut again")
	}
}
