package main

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/auth"
)

func TestTokenIsWhatTheSettingsAskFor(t *testing.T) {
	environ := []string{"JWT_SECRET=" + testSecret, "ROOMGATE_AUTH_ISSUER=us", "ROOMGATE_AUTH_AUDIENCE=chat",
		"ROOMGATE_AUTH_ROOMS_CLAIM=app.rooms", "ROOMGATE_AUTH_PUBLISH_CLAIM=app.publish", "ROOMGATE_ROOMS_AUTO=org:{org.id}"}
	code, stdout, stderr := command(t, environ, "token", "--sub", "u1", "--room", "42", "--room", "x:*", "--publish", "42",
		"--claim", `org={"id":7}`, "--claim", "name=Ann", "--claim", "big=12345678901234567890")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, stderr %q", code, stderr)
	}
	token, ok := strings.CutSuffix(stdout, "\n")
	if !ok || strings.ContainsAny(token, " \n") {
		t.Fatalf("stdout is %q, want a token and nothing else", stdout)
	}
	v, err := auth.New(auth.Options{
		Issuers:    []auth.Issuer{{Secrets: [][]byte{[]byte(testSecret)}, Issuer: "us", Audience: []string{"chat"}}},
		RoomsClaim: "app.rooms", PublishClaim: "app.publish", AutoRooms: []string{"org:{org.id}"}})
	if err != nil {
		t.Fatal(err)
	}
	grant, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := append(grant.Auto(), grant.Named()...), []string{"org:7", "42"}; !slices.Equal(got, want) {
		t.Errorf("the token joins %v, want %v", got, want)
	}
	if !grant.MayJoin("x:1") || !grant.MayPublish("42") || grant.Subject != "u1" {
		t.Errorf("the grant is %+v", grant)
	}
	wantIn(t, decoded(t, token), `"name":"Ann"`, `"big":12345678901234567890`)
}

// decoded returns the claims of a token, as they were written.
func decoded(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

func TestTokenWarnsOfWhatIsNotGranted(t *testing.T) {
	secret := "JWT_SECRET=" + testSecret
	for _, c := range []struct {
		args string
		want string
	}{
		{"--room a{b}", "--room a{b} grants nothing"},
		{"--room ***", "--room *** grants nothing"},
		{"--room 42 --publish a{b}", "--publish a{b} grants nothing"},
		{"--sub u1", "joins no room at connect"},
		{"--room 42 --ttl=-1h", "refuses this token: token has expired"},
		{"--room 42 --claim rooms=[]", "--room 42 grants nothing"},
	} {
		code, stdout, stderr := command(t, []string{secret}, append([]string{"token"}, strings.Fields(c.args)...)...)
		if code != 0 || strings.Count(stdout, "\n") != 1 {
			t.Errorf("token %s: exit code %d, stdout %q, want a token", c.args, code, stdout)
		}
		wantIn(t, stderr, c.want)
	}
}
