package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

func TestControlDisconnectsAUserOnEveryReplicaWithinASecond(t *testing.T) {
	redis := redistest.Start(t)
	on := "ROOMGATE_CONTROL_ENABLED=true"
	nodes := []*node{startNode(t, redis.URL(), on), startNode(t, redis.URL(), on), startNode(t, redis.URL())}
	var banned []*wstest.Client
	for _, n := range nodes {
		banned = append(banned, n.dialAs("u1", "j1"))
	}
	other := nodes[0].dialAs("u2", "j2")
	began := time.Now()
	redis.Client().Publish(t.Context(), "roomgate:control", `{"disconnect":{"sub":"u1"}}`)
	for _, c := range banned[:2] {
		c.WantClose(4005)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v, want at most a second", took)
	}
	for _, c := range []*wstest.Client{other, banned[2]} { // of the third node, where control is off
		c.SendText(`{"type":"ping"}`)
		c.WantType("pong")
	}
}

func TestRevokedTokenOrUserIsRefusedAtConnectAndAtRefresh(t *testing.T) {
	redis := redistest.Start(t)
	n := startNode(t, redis.URL(), "ROOMGATE_AUTH_REVOKED=true")
	live := n.dialAs("u1", "j1")
	for _, id := range []string{"j1", "u3"} {
		if err := redis.Client().Set(t.Context(), "roomgate:revoked:"+id, "", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, token := range []string{tokenAs(t, "u1", "j1"), tokenAs(t, "u3", "j3")} {
		wstest.Dial(t, n.url, "Authorization: Bearer "+token).WantClose(4002)
	}
	n.dialAs("u1", "j2")
	live.SendText(`{"type":"auth","token":"` + tokenAs(t, "u1", "j1") + `"}`)
	if e := live.WantType("error"); e["code"] != "unauthorized" {
		t.Errorf("refresh with a revoked token: got %v", e)
	}
}

func TestWhoIsRevokedCannotBeAskedMeans503(t *testing.T) {
	redis := redistest.Start(t)
	n := startNode(t, redis.URL(), "ROOMGATE_AUTH_REVOKED=true", "ROOMGATE_REDIS_TIMEOUT=500ms")
	redis.Kill() // readiness has a grace; the question has none
	c, err := wstest.Try(t, n.url, "Authorization: Bearer "+tokenAs(t, "u1", "j1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Response.StatusCode, http.StatusServiceUnavailable; got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

// tokenAs is a token of user sub with an id.
func tokenAs(t testing.TB, sub, jti string) string {
	t.Helper()
	token, err := auth.Sign([]byte(relaySecret), map[string]any{"sub": sub, "jti": jti, "rooms": "r", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// dialAs connects a v1 client with such a token.
func (n *node) dialAs(sub, jti string) *wstest.Client {
	n.t.Helper()
	c := wstest.Dial(n.t, n.url, "Sec-WebSocket-Protocol: "+v1, "Authorization: Bearer "+tokenAs(n.t, sub, jti))
	c.WantType("hello")
	return c
}
