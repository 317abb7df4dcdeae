package gateway

import (
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// An httpRefusal is the answer to a request that is not upgraded.
type httpRefusal struct {
	status int
	result string // label of the metric
	text   string // told to the client
}

// RetryAfter draws what the header Retry-After says where a later attempt may succeed: 5 to 10
// seconds, so that those who were refused together do not come back together.
func RetryAfter() string {
	const least, spread = 5, 5
	return strconv.Itoa(least + rand.IntN(spread+1))
}

func (h *httpRefusal) write(w http.ResponseWriter) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "no-store")
	if h.status == http.StatusServiceUnavailable || h.status == http.StatusTooManyRequests {
		head.Set("Retry-After", RetryAfter())
	}
	if h.status == http.StatusUnauthorized {
		head.Set("WWW-Authenticate", "Bearer") // RFC 6750, section 3
	}
	w.WriteHeader(h.status)
	_, _ = w.Write(append(encode(map[string]string{"error": h.text}), '\n')) // a client that is gone needs no answer
}

func badRequest(text string) *httpRefusal {
	return &httpRefusal{http.StatusBadRequest, "bad_request", text}
}

func tooMany(result, text string) *httpRefusal {
	return &httpRefusal{http.StatusTooManyRequests, result, text}
}

func unavailable(result, text string) *httpRefusal {
	return &httpRefusal{http.StatusServiceUnavailable, result, text}
}

// checkUpgrade checks what RFC 6455 section 4.2.1 asks of an opening handshake, so that each
// refusal is ours: JSON that says what to do.
func checkUpgrade(w http.ResponseWriter, r *http.Request) *httpRefusal {
	switch {
	case !headerHas(r, "Connection", "upgrade"), !headerHas(r, "Upgrade", "websocket"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return &httpRefusal{http.StatusUpgradeRequired, "not_websocket",
			"this is a WebSocket endpoint: connect with ws:// or wss:// (behind a proxy, let it pass the Upgrade and Connection headers)"}
	case r.Method != http.MethodGet, !r.ProtoAtLeast(1, 1), r.ProtoMajor != 1:
		return badRequest("a WebSocket handshake is a GET by HTTP/1.1")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		return badRequest("only WebSocket version 13 is spoken here")
	}
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		return badRequest("there must be one Sec-WebSocket-Key")
	}
	if key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0])); err != nil || len(key) != 16 {
		return badRequest("Sec-WebSocket-Key must be 16 bytes in base64")
	}
	return nil
}

// headerHas reports whether one of the comma-separated values of a header is token.
func headerHas(r *http.Request, header, token string) bool {
	for _, v := range headerValues(r, header) {
		if strings.EqualFold(v, token) {
			return true
		}
	}
	return false
}

// headerValues returns the comma-separated values of a header, of all its lines.
func headerValues(r *http.Request, header string) (values []string) {
	for _, line := range r.Header.Values(header) {
		for v := range strings.SplitSeq(line, ",") {
			if v = strings.TrimSpace(v); v != "" {
				values = append(values, v)
			}
		}
	}
	return values
}

// clip shortens what a client sent for a log.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Clone(strings.ToValidUTF8(s, "")) // not to keep the whole header
}
