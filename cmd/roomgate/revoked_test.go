package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// withoutExists makes a Redis user gate who may do all that roomgate needs but EXISTS.
func withoutExists(t *testing.T, redis *redistest.Server) (url string) {
	t.Helper()
	c := redis.Client()
	if err := c.Do(t.Context(), "ACL", "SETUSER", "gate", "on", ">secret", "resetchannels", "&room:*", "&roomgate:canary:*",
		"+subscribe", "+unsubscribe", "+publish").Err(); err != nil {
		t.Fatal(err)
	}
	return "redis://gate:secret@" + redis.Addr()
}

func TestRedisThatMayNotBeAskedWhoIsRevokedIsToldByProbeAndCheck(t *testing.T) {
	const rule = "ACL SETUSER gate +exists ~roomgate:revoked:*"
	redis := redistest.Start(t)
	url := withoutExists(t, redis)
	code, stdout, _ := command(t, []string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + url, "ROOMGATE_AUTH_REVOKED=true"}, "check")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	wantIn(t, stdout, "FAIL  redis", "'exists'", rule)

	r := serveUnready(t, url, "ROOMGATE_AUTH_REVOKED=true")
	await(t, "why it is not ready", func() bool { _, body := get(t, r.admin+"/readyz"); return strings.Contains(body, rule) })
	if err := redis.Client().Do(t.Context(), "ACL", "SETUSER", "gate", "+exists", "~roomgate:revoked:*").Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "readiness", func() bool { status, _ := get(t, r.admin+"/readyz"); return status == http.StatusOK })
	r.dial("42")
}

func TestRefusalSaysThatItIsRedisThatCannotBeAskedWhoIsRevoked(t *testing.T) {
	r := serveUnready(t, withoutExists(t, redistest.Start(t)), "ROOMGATE_AUTH_REVOKED=true")
	var refused *wstest.Client
	await(t, "a refusal for the token", func() bool {
		c, err := wstest.Try(t, r.url, "Authorization: Bearer "+newToken(t, "u1", "42"))
		if err != nil {
			t.Fatal(err)
		}
		refused = c
		return strings.Contains(r.stderr.String(), `"event":"auth_failed"`) // before it is proven, Redis itself is what is missing
	})
	body, _ := io.ReadAll(refused.Response.Body)
	wantIn(t, string(body), "Redis", "revoked")
	wantIn(t, r.stderr.String(), `"reason":"unavailable","error":"tokens cannot be verified now: asking who is revoked: looking keys up: NOPERM`)
	c := wstest.Dial(t, r.url, "Sec-WebSocket-Protocol: roomgate.v1")
	c.SendText(`{"type":"auth","token":"` + newToken(t, "u1", "42") + `"}`)
	wantIn(t, c.WantClose(4104), "Redis", "revoked")
}
