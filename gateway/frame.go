package gateway

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"unicode/utf8"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

// maxFrameHeader is the longest header of a server's frame, which is never masked.
const maxFrameHeader = 10

// pingFrame is a whole ping without payload: the same bytes for every connection.
var pingFrame = []byte{0x80 | opPing, 0}

// appendHeader appends the header of one whole, unmasked frame of n payload bytes.
func appendHeader(b []byte, op byte, n int) []byte {
	b = append(b, 0x80|op)
	switch {
	case n <= 125:
		return append(b, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

// appendFrame appends one whole, unmasked frame.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	return append(appendHeader(b, op, len(payload)), payload...)
}

// A format is how a room's message is put into a frame.
type format uint8

const (
	formatV1  format = iota // roomgate.v1: one JSON object per frame
	formatRaw               // roomgate.raw.v1: the payload itself
	formats
)

// subprotocols are the names under which clients ask for a format.
var subprotocols = [formats]string{formatV1: "roomgate.v1", formatRaw: "roomgate.raw.v1"}

// appendMessage appends the frame that carries payload, published to room, in format f.
// It grows b at most once.
func appendMessage(b []byte, f format, room string, payload []byte) []byte {
	if f == formatRaw {
		if utf8.Valid(payload) {
			return appendFrame(b, opText, payload)
		}
		return appendFrame(b, opBinary, payload)
	}
	switch {
	case !utf8.Valid(payload): // first: json.Valid lets invalid UTF-8 in strings pass
		const key = `","base64":"`
		n := base64.StdEncoding.EncodedLen(len(payload))
		b = appendHeader(b, opText, len(messageHead)+len(room)+len(key)+n+len(`"}`))
		b = append(append(append(b, messageHead...), room...), key...)
		b = base64.StdEncoding.AppendEncode(b, payload)
		return append(b, `"}`...)
	case json.Valid(payload):
		const key = `","data":`
		b = appendHeader(b, opText, len(messageHead)+len(room)+len(key)+len(payload)+len(`}`))
		b = append(append(append(b, messageHead...), room...), key...)
		return append(append(b, payload...), '}')
	default:
		const key = `","text":`
		text := encode(string(payload))
		b = appendHeader(b, opText, len(messageHead)+len(room)+len(key)+len(text)+len(`}`))
		b = append(append(append(b, messageHead...), room...), key...)
		return append(append(b, text...), '}')
	}
}

// messageHead is followed by the room's name, whose alphabet needs no escaping in JSON.
const messageHead = `{"type":"message","room":"`

// sizeHint is about how long appendMessage's frame will be, so that one allocation serves.
func sizeHint(f format, room string, payload []byte) int {
	if f == formatRaw {
		return maxFrameHeader + len(payload)
	}
	return maxFrameHeader + len(messageHead) + len(room) + len(`","data":}`) + len(payload)
}
