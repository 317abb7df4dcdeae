package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/config"
)

// A ticket is what a token is made of here, besides what the settings ask of every token.
type ticket struct {
	sub     string
	rooms   []string // names and patterns
	publish []string // names and patterns
	ttl     time.Duration
	claims  map[string]any // others; they win
}

// mint signs t with the first secret of c's first issuer that has one, so that c's own
// verifier accepts it.
func mint(c *config.Config, t ticket) (string, error) {
	i := slices.IndexFunc(c.Auth.Issuers, func(i config.Issuer) bool { return len(i.Secrets) > 0 })
	if i < 0 {
		return "", errors.New("no issuer has a secret to sign with: with public keys only the issuer can make tokens")
	}
	issuer := c.Auth.Issuers[i]
	now := time.Now()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(t.ttl).Unix()}
	if t.sub != "" {
		claims["sub"] = t.sub
	}
	if issuer.Issuer != "" {
		claims["iss"] = issuer.Issuer
	}
	switch len(issuer.Audience) {
	case 0:
	case 1:
		claims["aud"] = issuer.Audience[0]
	default:
		claims["aud"] = issuer.Audience
	}
	if len(t.rooms) > 0 {
		place(claims, c.Auth.RoomsClaim, t.rooms)
	}
	if len(t.publish) > 0 {
		place(claims, c.Auth.PublishClaim, t.publish)
	}
	for name, value := range t.claims {
		claims[name] = value
	}
	return auth.Sign([]byte(issuer.Secrets[0]), claims)
}

// place puts value where the dotted path leads. A name that is a URL has dots of its own.
func place(claims map[string]any, path string, value any) {
	parent, rest, nested := strings.Cut(path, ".")
	if !nested || strings.Contains(path, "://") {
		claims[path] = value
		return
	}
	inner, ok := claims[parent].(map[string]any)
	if !ok {
		inner = map[string]any{}
		claims[parent] = inner
	}
	place(inner, rest, value)
}
