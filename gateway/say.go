package gateway

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"time"
)

// What the server says of its own in roomgate.v1, one JSON object a frame. The fields and
// their order are those of docs/protocol.md. Room messages are not here: they are built by
// appendMessage, once for all their receivers.
type (
	helloFrame struct {
		Type  string   `json:"type"`
		V     int      `json:"v"`
		Conn  string   `json:"conn"`
		Sub   string   `json:"sub"`
		Rooms []string `json:"rooms"`
		Exp   int64    `json:"exp"`  // seconds since 1970, RFC 7519's NumericDate
		Ping  int      `json:"ping"` // seconds between the server's pings
		Ref   ref      `json:"ref,omitempty"`
	}
	roomFrame struct {
		Type string `json:"type"` // subscribed, unsubscribed
		Room string `json:"room"`
		Ref  ref    `json:"ref,omitempty"`
		Code string `json:"code,omitempty"`
	}
	gapFrame struct {
		Type   string `json:"type"`
		Room   string `json:"room,omitempty"`
		Reason string `json:"reason"`
		After  int64  `json:"after"` // milliseconds until the client should refetch
	}
	expiringFrame struct {
		Type string `json:"type"`
		In   int64  `json:"in"` // seconds
	}
	errorFrame struct {
		Type    string `json:"type"`
		Ref     ref    `json:"ref,omitempty"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	refFrame struct {
		Type string `json:"type"` // published, pong
		Ref  ref    `json:"ref,omitempty"`
	}
	byeFrame struct {
		Type  string `json:"type"`
		Code  int    `json:"code"`
		After int64  `json:"after"` // milliseconds until the client should reconnect
	}
)

// A ref is the client's own mark on a request, repeated as it came in the answer: a JSON
// number or string of at most 64 bytes. nil: none was given.
type ref = json.RawMessage

// Codes of errorFrame.
const (
	codeBadRequest   = "bad_request"
	codeForbidden    = "forbidden"
	codeRateLimited  = "rate_limited"
	codeTooManyRooms = "too_many_rooms"
	codeUnauthorized = "unauthorized"
	codeUnavailable  = "unavailable"
)

// textFrame returns v as one text frame.
func textFrame(v any) []byte {
	body := encode(v)
	return appendFrame(make([]byte, 0, maxFrameHeader+len(body)), opText, body)
}

// encode returns v as JSON, with < > & as they are: nobody puts these frames into HTML, and
// what a client or a backend sent should come back as it was. It panics on what does not
// marshal: v is one of the frames above, whose ref was parsed before, or a string.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// drawAfter draws how long one client should wait, so that many of them do not come at once.
func drawAfter(window time.Duration) time.Duration {
	if window < time.Millisecond {
		return 0
	}
	return rand.N(window)
}
