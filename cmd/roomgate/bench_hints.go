package main

import "net/http"

// statusHints say what a refused handshake means for who runs a bench.
var statusHints = map[int]string{
	http.StatusBadRequest:      "the gateway does not understand the request: is it roomgate, and is http.path in the URL?",
	http.StatusUnauthorized:    "the token is not accepted: is it signed with the gateway's secret? roomgate explain --token - tells why",
	http.StatusForbidden:       "the origin or the room is not allowed: see http.allowed_origins and --header 'Origin: …'; a given token must allow the rooms: roomgate token --room 'bench-*'",
	http.StatusNotFound:        "nothing is served at this path: is http.path (/ws) in the URL?",
	http.StatusUpgradeRequired: "the request did not arrive as a WebSocket's: a proxy on the way must pass Upgrade and Connection on",
	http.StatusTooManyRequests: "too many from one address: use --connect-rate, or raise limits.handshakes_per_address and limits.connections_per_address of the gateway (-1: no limit)",
	http.StatusBadGateway:      "a proxy on the way cannot reach the gateway",
	http.StatusServiceUnavailable: "the gateway takes no more: it is draining, full (limits.connections, limit of open files), lets in so many a second (limits.connects_per_second; use --connect-rate), or its Redis or keys are away; " +
		"its log and /readyz tell which",
}

// closeHints say the same of close codes (docs/protocol.md, Close codes).
var closeHints = map[int]string{
	1000: "normal closure",
	1001: "the server goes away",
	1002: "what came was no WebSocket frame of a server, or one with an extension that nobody asked for",
	1003: "the server does not take this kind of message",
	1005: "a close frame without a code",
	1006: "no close frame: the gateway or a proxy on the way died, or cut the connection",
	1009: "a message was larger than the 16 MiB that bench takes",
	1011: "a bug of the server: see its log",
	4000: "bad request",
	4001: "no token: does the gateway take it from where it was sent (auth.token_from)?",
	4002: "the token is not accepted: is it signed with the gateway's secret? roomgate explain --token - tells why",
	4003: "the token does not allow the room: make it with roomgate token --room 'bench-*', or let bench make tokens",
	4005: "disconnected by the backend",
	4006: "too many connections of one sub: raise limits.connections_per_user, or let bench make tokens, one sub for each client",
	4008: "no token came in time",
	4101: "too many messages from a client",
	4102: "slow consumer: more was sent than these clients, or the way to them, can take; lower --rate or --size, or run it on another machine",
	4103: "the node is full: limits.connections, or its limit of open files",
	4104: "the gateway's Redis is away",
	4201: "the gateway drains",
	4202: "the token has expired",
	4203: "limits.connection_age is over",
	4204: "no pong came in time: this machine, or the way to it, is overloaded",
	4205: "a gap in the raw format: messages may have been lost, by Redis or for overload",
}
