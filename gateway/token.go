package gateway

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Where a token may be: values of Options.TokenFrom.
const (
	tokenHeader      = "header"      // Authorization: Bearer <jwt>
	tokenSubprotocol = "subprotocol" // Sec-WebSocket-Protocol: roomgate.v1, bearer.<jwt>
	tokenQuery       = "query"       // ?token=<jwt>
	tokenCookie      = "cookie"      // the cookie named Options.Cookie
	tokenMessage     = "message"     // {"type":"auth","token":"<jwt>"} as the first message
)

// bearerPrefix marks the offered subprotocol that is a token. It is never selected.
const bearerPrefix = "bearer."

func isBearer(protocol string) bool { return strings.HasPrefix(protocol, bearerPrefix) }

// offeredProtocols returns the subprotocols that a client offers.
func offeredProtocols(r *http.Request) []string {
	return headerValues(r, "Sec-WebSocket-Protocol")
}

func (g *Gateway) tokenFrom(place string) bool { return slices.Contains(g.opts().TokenFrom, place) }

// tokenOf returns the token of a request; empty if there is none. Two different ones are an
// error: which of them a proxy or a log has seen and which we take must not be a riddle.
func (g *Gateway) tokenOf(r *http.Request) (string, error) {
	var found []string
	if g.tokenFrom(tokenHeader) {
		for _, v := range r.Header.Values("Authorization") {
			if scheme, token, ok := strings.Cut(v, " "); ok && strings.EqualFold(scheme, "Bearer") {
				found = append(found, strings.TrimSpace(token))
			}
		}
	}
	if g.tokenFrom(tokenSubprotocol) {
		for _, p := range offeredProtocols(r) {
			if isBearer(p) {
				found = append(found, strings.TrimPrefix(p, bearerPrefix))
			}
		}
	}
	if g.tokenFrom(tokenQuery) {
		found = append(found, r.URL.Query()["token"]...)
	}
	if g.tokenFrom(tokenCookie) {
		for _, c := range r.CookiesNamed(g.opts().Cookie) {
			found = append(found, c.Value)
		}
	}
	found = slices.DeleteFunc(found, func(s string) bool { return s == "" })
	if len(found) == 0 {
		return "", nil
	}
	for _, other := range found[1:] {
		if other != found[0] {
			return "", errors.New("two different tokens in one request")
		}
	}
	return found[0], nil
}
