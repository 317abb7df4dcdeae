package gateway

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// permessage-deflate (RFC 7692), if it is on: without context takeover in either direction, so
// that a message is compressed once for all its receivers, a connection keeps no window, and
// nothing of one message shows in the length of another.

// rsv1 marks a frame's payload as compressed (RFC 7692, section 6).
const rsv1 = 0x40

// An encoding is one of the forms that a room's message is sent in: of a format, as it is or
// compressed.
type encoding uint8

const encodings = 2 * encoding(formats)

// encodingOf returns the encoding of a format.
func encodingOf(f format, compressed bool) encoding {
	if compressed {
		return encoding(f) + encoding(formats)
	}
	return encoding(f)
}

// compressionMode is what the library may agree on with a client.
func (s *settings) compressionMode() websocket.CompressionMode {
	if s.Compression {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionDisabled
}

// agreed reports whether an answer accepts permessage-deflate, which is the only extension the
// library knows.
func agreed(answer http.Header) bool { return answer.Get("Sec-Websocket-Extensions") != "" }

// A deflater compresses one payload after the other. It has about 650 KB: there are as many as
// lanes that compress at the same time.
type deflater struct {
	out bytes.Buffer
	w   *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.w, _ = flate.NewWriter(&d.out, flate.BestSpeed) // fails for levels that do not exist
	return d
}}

// deflate returns payload compressed, without the four bytes that RFC 7692, section 7.2.1,
// takes off its end. It is valid until the next call.
func (d *deflater) deflate(payload []byte) []byte {
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(payload) // into memory: cannot fail
	_ = d.w.Flush()
	return bytes.TrimSuffix(d.out.Bytes(), []byte{0, 0, 0xFF, 0xFF})
}

// deflateFrames returns frames, whole ones of messages, with the payloads compressed that have at
// least threshold bytes and get smaller by it.
func deflateFrames(frames []byte, threshold int) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	b := make([]byte, 0, len(frames))
	for rest := frames; len(rest) > 0; {
		header, size := frameSize(rest)
		frame, payload := rest[:size], rest[header:size]
		rest = rest[size:]
		if len(payload) < threshold {
			b = append(b, frame...)
			continue
		}
		packed := d.deflate(payload)
		if len(packed) >= len(payload) {
			b = append(b, frame...)
			continue
		}
		at := len(b)
		b = appendFrame(b, frame[0]&0x0F, packed)
		b[at] |= rsv1
	}
	return b
}

// frameSize returns how long the header is of the unmasked frame that b begins with, and how long
// both it and its payload are.
func frameSize(b []byte) (header, size int) {
	switch n := b[1]; n {
	case 126:
		return 4, 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return maxFrameHeader, maxFrameHeader + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2, 2 + int(n)
	}
}
