package gateway

import (
	"encoding/binary"
	"strings"
	"time"
)

// An ending is why a connection ended: the close frame that says it to the client, the
// label of the metric and the field of the log, as one value. Codes 40xx tell a client to
// stop, 41xx to back off, 42xx to reconnect (docs/protocol.md, Close codes).
type ending struct {
	code  int    // of the close frame; 0: none is sent, there is nobody to read it
	label string // bounded set: metric label and log field
	text  string // of the close frame: what happened and what to do, without anything secret
}

var (
	endBadRequest    = ending{4000, "bad_request", "bad request"}
	endTokenMissing  = ending{4001, "token_missing", "token missing: send it as Authorization: Bearer, as subprotocol bearer.<jwt>, or as ?token="}
	endTokenInvalid  = ending{4002, "token_invalid", "token invalid"}
	endRoomForbidden = ending{4003, "room_forbidden", "the token does not allow this room"}
	endDisconnected  = ending{4005, "disconnected", "disconnected by the backend"}
	endTooManyOfUser = ending{4006, "too_many_of_user", "too many connections of this user"}
	endAuthTimeout   = ending{4008, "auth_timeout", "no auth message in time"}
	endRateExceeded  = ending{4101, "rate_exceeded", "message rate exceeded: slow down"}
	endTooManyTokens = ending{4101, "failed_tokens", "too many refused tokens from this address: back off"}
	endSlow          = ending{4102, "slow_consumer", "slow consumer: messages were not read in time"}
	endAllSlow       = ending{4102, "outboxes_full", "slow consumer: messages were not read in time, and too much waits on this node"}
	endNoRedis       = ending{4104, "redis_unavailable", "Redis unavailable"}
	endNoKeys        = ending{4104, "keys_unavailable", "the keys to verify tokens cannot be had now"}
	endRevokedAway   = ending{4104, "redis_unavailable", "Redis unavailable: it cannot be asked who is revoked"}
	endDrain         = ending{4201, "drain", "draining: reconnect"}
	endExpired       = ending{4202, "token_expired", "token expired: reconnect with a new one"}
	endAge           = ending{4203, "maximum_age", "maximum age: reconnect"}
	endNoPong        = ending{4204, "no_pong", "no pong in time"}
	endStalledFrame  = ending{4204, "stalled_frame", "a begun message was not finished in time"}
	endGap           = ending{4205, "gap", "messages may be missing: refetch your state and reconnect"}
	endKind          = ending{1003, "unsupported_data", "this format takes no such frames from clients"}
	endUTF8          = ending{1007, "invalid_utf8", "text is not valid UTF-8"}
	endTooBig        = ending{1009, "too_big", "message too big"}
	endProtocol      = ending{1002, "protocol_error", "RFC 6455 violated"}
	endBug           = ending{1011, "bug", "an error of the gateway's own"}

	endClient = ending{0, "client_closed", ""} // it sent a close frame; the library has answered it
	endLost   = ending{0, "lost", ""}          // the TCP connection broke, or ended without a close frame
	endStop   = ending{0, "stopped", ""}       // the gateway stopped before its drain was over
)

// because returns e with a text of its own, cut to what a close frame holds.
func (e ending) because(text string) ending {
	e.text = text
	return e
}

// closeTimeout is how long a closing connection may take to flush what is queued and to
// answer the close frame. RFC 6455 section 7.1.1 leaves the limit to the server.
const closeTimeout = 5 * time.Second

// maxCloseText is what RFC 6455 section 5.5 leaves for the reason: 125 bytes less the code.
const maxCloseText = 123

// closeFrame returns the close frame of e.
func (e ending) closeFrame() []byte {
	text := e.text
	if len(text) > maxCloseText {
		text = strings.ToValidUTF8(text[:maxCloseText], "")
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(text)), uint16(e.code))
	return appendFrame(nil, opClose, append(body, text...))
}
