package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/roomgate/roomgate/internal/wstest"
)

func counterValue(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	return testutil.ToFloat64(c)
}

// FuzzMessageFrame: whatever is published, the frame is well formed and gives it back.
func FuzzMessageFrame(f *testing.F) {
	for _, s := range []string{"", `{"a":1}`, "plain", "\xff", `"` + "\xff" + `"`, "<\u2028>", "{\"a\":\"\\ud800\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		op, got := unframe(t, appendMessage(nil, formatRaw, "r", payload))
		if !bytes.Equal(got, payload) || (op == opText) != utf8.Valid(payload) {
			t.Errorf("raw: opcode %d, %q", op, got)
		}
		op, got = unframe(t, appendMessage(nil, formatV1, "r", payload))
		var m struct {
			Type, Room string
			Data       json.RawMessage
			Text       *string
			Base64     *string
		}
		if op != opText || !utf8.Valid(got) || json.Unmarshal(got, &m) != nil || m.Type != "message" || m.Room != "r" {
			t.Fatalf("v1: opcode %d, %q", op, got)
		}
		switch {
		case m.Text != nil:
			got = []byte(*m.Text)
		case m.Base64 != nil:
			got, _ = base64.StdEncoding.DecodeString(*m.Base64)
		default: // data is spliced in as it is
			got = bytes.TrimSuffix(bytes.TrimPrefix(got, []byte(`{"type":"message","room":"r","data":`)), []byte("}"))
		}
		if !bytes.Equal(got, payload) {
			t.Errorf("v1 gives back %q of %q", got, payload)
		}
	})
}

// unframe takes one whole frame apart.
func unframe(t *testing.T, b []byte) (op byte, payload []byte) {
	t.Helper()
	n, rest := int(b[1]), b[2:]
	switch n {
	case 126:
		n, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
	case 127:
		n, rest = int(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	if b[0]&0xF0 != 0x80 || n != len(rest) {
		t.Fatalf("header %x says %d bytes, there are %d", b[:2], n, len(rest))
	}
	return b[0] & 0x0F, rest
}

// FuzzRequest: no client message makes parseRequest panic, or take what is not a JSON object.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{`{"type":"ping","ref":1}`, `[]`, `{"type":null}`, `{"ref":"x"}`, `{"type":"a","type":"b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req, err := parseRequest(data)
		if err == nil && (req.typ == "" || !json.Valid(data)) {
			t.Errorf("took %q as %+v", data, req)
		}
		if len(req.ref) > 0 {
			textFrame(refFrame{Type: "pong", Ref: req.ref}) // must not panic
		}
	})
}

// FuzzOrigin: no origin is let in that is not the one listed, or under the domain listed.
func FuzzOrigin(f *testing.F) {
	s, err := newOriginSet([]string{"https://example.com", "https://*.example.org"}, false, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("https://example.com")
	f.Add("https://a.example.org")
	f.Add("https://evil.com#.example.org")
	f.Fuzz(func(t *testing.T, origin string) {
		if !s.allow(origin, "gateway") || origin == "" {
			return
		}
		lower := bytes.ToLower([]byte(origin))
		if string(lower) == "https://example.com" {
			return
		}
		host, ok := bytes.CutPrefix(lower, []byte("https://"))
		if !ok || !bytes.HasSuffix(host, []byte(".example.org")) || bytes.ContainsAny(host, "/\\?#@") {
			t.Errorf("let in %q", origin)
		}
	})
}

// FuzzClientBytes: whatever a client sends, the gateway lives on and serves the others.
func FuzzClientBytes(f *testing.F) {
	f.Add(wstest.AppendFrame(nil, 0x81, []byte(`{"type":"ping"}`)))
	f.Add(wstest.AppendFrame(wstest.AppendFrame(nil, 0x01, []byte("x")), 0x80, []byte("y")))
	f.Add([]byte{0x81, 0xFE, 0xFF, 0xFF, 1, 2, 3, 4})
	f.Add([]byte{0x88, 0x80, 0, 0, 0, 0})
	w := newWorld(f, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &world{Gateway: w.Gateway, t: t, rooms: w.rooms, url: w.url, logs: w.logs} // that fails t
		c, honest := w.dialV1(w.token("42")), w.dialV1(w.token("42"))
		_ = c.RawErr(b) // it may be closed before all is written
		c.Drop()
		w.publishText("42", "1")
		honest.WantText(`{"type":"message","room":"42","data":1}`)
		honest.Drop()
	})
}
