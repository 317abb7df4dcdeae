package gateway

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/wstest"
)

func (w *world) dialUnauthorized(query string) *wstest.Client {
	w.t.Helper()
	return wstest.Dial(w.t, w.url+query, "Sec-WebSocket-Protocol: roomgate.v1")
}

func decode(t testing.TB, f wstest.Frame) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal(f.Payload, &m); err != nil {
		t.Fatalf("got %v, want JSON", f)
	}
	return m
}

func rawAnswer(t testing.TB, wsURL, request string) *http.Response {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(wsURL, "ws://"), "/ws"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_, _ = io.WriteString(nc, request)
	response, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestEachViolationClosesThatConnectionWithItsCode(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessageBytes = 1000 })
	honest := w.dialV1(w.token("42"))
	frame := wstest.AppendFrame
	for name, test := range map[string]struct {
		bytes []byte
		code  int
	}{
		"unmasked frame":             {[]byte{0x81, 1, 'x'}, 1002},
		"unmasked ping":              {[]byte{0x89, 0}, 1002},
		"RSV1":                       {frame(nil, 0xC1, []byte("x")), 1002},
		"RSV2 on a ping":             {frame(nil, 0xA9, nil), 1002},
		"unknown opcode":             {frame(nil, 0x83, nil), 1002},
		"unknown control opcode":     {frame(nil, 0x8B, nil), 1002},
		"fragmented ping":            {frame(nil, 0x09, nil), 1002},
		"control frame too long":     {frame(nil, 0x89, make([]byte, 126)), 1002},
		"close with one byte":        {frame(nil, 0x88, []byte{3}), 1002},
		"close with a reserved code": {frame(nil, 0x88, []byte{0x03, 0xED}), 1002},
		"continuation of nothing":    {frame(nil, 0x80, []byte("x")), 1002},
		"text inside a message":      {frame(frame(nil, 0x01, []byte("x")), 0x81, []byte("y")), 1002},
		"invalid UTF-8":              {frame(nil, 0x81, []byte("\xff")), 1007},
		"invalid UTF-8 over frames":  {frame(frame(nil, 0x01, []byte("\xc3")), 0x80, []byte("x")), 1007},
		"oversize":                   {frame(nil, 0x81, make([]byte, 1001)), 1009},
		"oversize over frames":       {frame(frame(nil, 0x01, make([]byte, 600)), 0x80, make([]byte, 600)), 1009},
		"binary":                     {frame(nil, 0x82, []byte("x")), 1003},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.dialV1(w.token("42"))
			c.Raw(test.bytes)
			c.Raw([]byte("what follows is garbage")) // and must not reset the close frame away
			if f := c.Next(); f.CloseCode() != test.code {
				t.Errorf("got %v, want close %d", f, test.code)
			}
		})
	}
	w.publishText("42", "1")
	honest.WantText(`{"type":"message","room":"42","data":1}`)
}

func TestMessageOfTheAllowedSizePasses(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MessageBytes = 1000 })
	c := w.dialV1(w.token("42"))
	text := `{"type":"ping","ref":1,"pad":"`
	text += strings.Repeat("x", 1000-len(text)-len(`"}`)) + `"}`
	c.SendText(text)
	c.WantType("pong")
}

func TestFragmentsWithAPingBetweenMakeOneMessage(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	b := wstest.AppendFrame(nil, 0x01, []byte(`{"type":"pi`))
	b = wstest.AppendFrame(b, 0x89, []byte("p"))
	b = wstest.AppendFrame(b, 0x80, []byte(`ng"}`))
	for _, one := range b { // one byte a segment: every split of every frame
		c.Raw([]byte{one})
	}
	if f, err := c.Read(); err != nil || f.Op != wstest.Pong || string(f.Payload) != "p" {
		t.Fatalf("got %v %v, want pong p", f, err)
	}
	c.WantText(`{"type":"pong"}`)
}

func TestPingIsAnsweredWithItsPayload(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	for _, n := range []int{0, 1, 4, 124, 125} {
		payload := strings.Repeat("p", n)
		c.Send(wstest.Ping, []byte(payload))
		if f, err := c.Read(); err != nil || f.Op != wstest.Pong || string(f.Payload) != payload {
			t.Fatalf("ping of %d bytes: got %v %v", n, f, err)
		}
	}
	c.Send(wstest.Pong, []byte("unasked"))
	c.SendText(`{"type":"ping"}`)
	c.WantType("pong")
}

func TestStalledFrameIsCutOffInTime(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.FrameTimeout = 50 * time.Millisecond })
	for name, begun := range map[string][]byte{
		"half a header":  {0x81},
		"half a payload": wstest.AppendFrame(nil, 0x81, make([]byte, 500))[:300],
		"half a ping":    {0x89, 0x84, 1, 2},
		"half a message": wstest.AppendFrame(nil, 0x01, []byte("x")),
	} {
		t.Run(name, func(t *testing.T) {
			c := w.dialV1(w.token("42"))
			c.Raw(begun)
			if f := c.Next(); f.CloseCode() != 4204 {
				t.Errorf("got %v, want close 4204", f)
			}
		})
	}
}

func TestBytesSentBehindTheRequestAreNotLost(t *testing.T) {
	w := newWorld(t, nil)
	nc, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(w.url, "ws://"), "/ws"))
	if err != nil {
		t.Fatal(err)
	}
	early := wstest.AppendFrame(nil, 0x81, []byte(`{"type":"ping","ref":1}`))
	_, err = io.WriteString(nc, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: roomgate.v1\r\nAuthorization: Bearer "+w.token("42")+"\r\n\r\n"+string(early))
	if err != nil {
		t.Fatal(err)
	}
	c := wstest.Resume(t, nc)
	c.WantType("hello")
	c.WantType("pong")
}

func TestCloseFromTheClientIsAnsweredAndFreesEverything(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dialV1(w.token("42"))
	c.Send(wstest.Close, []byte{0x03, 0xE8})
	if f := c.Next(); f.CloseCode() != 1000 {
		t.Errorf("got %v, want close 1000", f)
	}
	c.WantGone()
	d := w.dialV1(w.token("42"))
	d.Drop()
	w.await("both gone", func() bool { return w.Connections() == 0 && w.admitted.Load() == 0 && w.members("42") == 0 })
}

func TestClientThatNeverReadsIsEndedAndNobodyElseWaits(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.OutboxBytes = 64 << 10 })
	slow, good := w.dialRaw(w.token("42"), "42"), w.dialRaw(w.token("42"), "42")
	_ = slow // it reads nothing
	payload := strings.Repeat("x", 16<<10)
	ended := func() bool {
		return slices.ContainsFunc(w.all(), func(c *conn) bool { return c.ended.Load() != nil })
	}
	for n := 0; !ended(); n++ {
		if n == 2000 {
			t.Fatal("32 MB were sent to a client that reads nothing")
		}
		w.publishText("42", "%s", payload)
		good.WantText(payload)
	}
	w.publishText("42", "end")
	good.WantText("end")
	w.await("a log line that says slow_consumer", func() bool { return strings.Contains(w.logs.String(), `"reason":"slow_consumer"`) })
	if n := w.backlog.owed.Load(); n != 0 {
		t.Errorf("%d bytes still count as waiting", n)
	}
}
