package load

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	finBit  = 0x80
	rsvBits = 0x70
	maskBit = 0x80
)

const (
	messageMost = 16 << 20 // bytes of one message; a server that announces more is not believed
	controlMost = 125      // RFC 6455 section 5.5
	keepMost    = 1 << 10  // bytes of buffer that a client keeps while it holds nothing
)

var (
	errProtocol = errors.New("the server broke the WebSocket protocol (RFC 6455 section 5)")
	errTooLarge = errors.New("the server sent a message of more than 16 MiB")
)

// A stream cuts what a server sends into messages and control frames, however it was split on the way.
// It copies a payload only if the frame came in pieces. Text is not checked for UTF-8.
type stream struct {
	in      []byte // what was read last and is not taken yet; the reader's
	carry   []byte // the beginning of a frame whose end has not come
	message []byte // the fragments of a message whose end has not come
	kind    byte   // opcode of that message; 0: there is none
}

// next returns the first message, or control frame, that is whole. False means that there is none
// before more is put into s.in. The payload is good until the next call.
func (s *stream) next() (op byte, payload []byte, ok bool, err error) {
	for {
		frame, header, err := s.frame()
		if frame == nil || err != nil {
			return 0, nil, false, err
		}
		op, payload := frame[0]&0x0f, frame[header:]
		whole := frame[0]&finBit != 0
		switch {
		case op >= opClose:
			if !whole || len(payload) > controlMost || op > opPong {
				return 0, nil, false, errProtocol
			}
			return op, payload, true, nil
		case op > opBinary, (op == opContinuation) != (s.kind != 0):
			return 0, nil, false, errProtocol
		case op != opContinuation && whole:
			return op, payload, true, nil
		case op != opContinuation:
			s.kind, s.message = op, append(shrunk(s.message), payload...)
		default:
			if len(s.message)+len(payload) > messageMost {
				return 0, nil, false, errTooLarge
			}
			s.message = append(s.message, payload...)
			if whole {
				op, s.kind = s.kind, 0
				return op, s.message, true, nil
			}
		}
	}
}

// frame takes the first whole frame off what has come; nil: there is none.
func (s *stream) frame() (frame []byte, header int, err error) {
	if s.kept() {
		return s.rest()
	}
	header, n, err := measure(s.in)
	if err != nil {
		return nil, 0, err
	}
	if n == 0 || n > len(s.in) {
		s.carry = append(shrunk(s.carry), s.in...)
		s.in = nil
		return nil, 0, nil
	}
	frame, s.in = s.in[:n], s.in[n:]
	return frame, header, nil
}

// kept reports whether carry holds the beginning of a frame. A frame that rest has handed out is still
// in it, but over.
func (s *stream) kept() bool {
	if len(s.carry) == 0 {
		return false
	}
	if _, n, err := measure(s.carry); err == nil && n == len(s.carry) {
		s.carry = shrunk(s.carry)
		return false
	}
	return true
}

// rest is frame for one whose beginning is in carry.
func (s *stream) rest() (frame []byte, header int, err error) {
	for len(s.in) > 0 {
		_, n, err := measure(s.carry)
		if err != nil {
			return nil, 0, err
		}
		want := 1 // of a header, until it tells its length
		if n > 0 {
			want = n - len(s.carry)
		}
		want = min(want, len(s.in))
		s.carry = append(s.carry, s.in[:want]...)
		s.in = s.in[want:]
		header, n, err := measure(s.carry)
		if err != nil {
			return nil, 0, err
		}
		if n > 0 && n == len(s.carry) {
			return s.carry, header, nil
		}
	}
	return nil, 0, nil
}

// measure returns the bytes of the first frame's header, and of the whole frame; 0: its length has not come yet.
func measure(b []byte) (header, n int, err error) {
	if len(b) < 2 {
		return 0, 0, nil
	}
	if b[0]&rsvBits != 0 || b[1]&maskBit != 0 {
		return 0, 0, errProtocol
	}
	switch short := int(b[1]); {
	case short < 126:
		return 2, 2 + short, nil
	case short == 126 && len(b) >= 4:
		return 4, 4 + int(binary.BigEndian.Uint16(b[2:])), nil
	case short == 127 && len(b) >= 10:
		long := binary.BigEndian.Uint64(b[2:])
		if long > messageMost {
			return 0, 0, errTooLarge
		}
		return 10, 10 + int(long), nil
	}
	return 0, 0, nil
}

// shrunk returns b empty, and without its memory if that is much.
func shrunk(b []byte) []byte {
	if cap(b) > keepMost {
		return nil
	}
	return b[:0]
}

// appendFrame appends a whole frame as a client sends it, masked.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, finBit|op)
	switch n := len(payload); {
	case n <= controlMost:
		b = append(b, maskBit|byte(n))
	case n <= 0xFFFF:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], rand.Uint32())
	b = append(b, mask[:]...)
	for i, v := range payload {
		b = append(b, v^mask[i%4])
	}
	return b
}
