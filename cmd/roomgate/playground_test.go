package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// dialFrom connects as a page of that origin does.
func (r *replica) dialFrom(origin string) *wstest.Client {
	r.t.Helper()
	c, err := wstest.Try(r.t, r.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+newToken(r.t, "u1", "42"), "Origin: "+origin)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func TestPlaygroundIsOffByDefault(t *testing.T) {
	r := serve(t, redistest.Start(t).URL())
	for _, path := range []string{"/playground", "/playground/", "/playground/main.js", "/playground/settings.json", "/", "/settings.json", "/demo/token"} {
		if status, body := get(t, r.front+path); status != http.StatusNotFound {
			t.Errorf("%s is %d %s, want 404", path, status, body)
		}
	}
}

func TestPlaygroundTellsNoSecretAndNoAddress(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_HTTP_PLAYGROUND=true", "ROOMGATE_REDIS_CHANNEL_PREFIX=chat:", "ROOMGATE_ROOMS_AUTO=user:{sub}")
	status, body := get(t, r.front+"/playground/settings.json")
	const want = `{"path":"/ws","prefix":"chat:","sharded":false,"roomsClaim":"rooms","publishClaim":"publish","granted":false}` + "\n"
	if status != http.StatusOK || body != want {
		t.Errorf("its settings are %d %s, want %s", status, body, want)
	}
	status, body = get(t, r.front+"/playground") // the client follows to where the files are
	wantIn(t, body, "<!doctype html>", `src="main.js"`)
	if status != http.StatusOK {
		t.Errorf("/playground leads to %d, want 200", status)
	}
	for _, path := range []string{"/playground/demo/token", "/playground/demo/simulate/cut", "/demo/token", "/playground/nothing"} {
		if status, _ := get(t, r.front+path); status != http.StatusNotFound {
			t.Errorf("%s is %d, want 404: only a demo has it", path, status)
		}
	}
}

func TestPlaygroundIsTurnedOnAndOffByAReload(t *testing.T) {
	r := serveReloadable(t, "")
	for _, change := range []struct {
		settings string
		want     int
	}{{"http: {playground: true}", http.StatusOK}, {"", http.StatusNotFound}} {
		r.write(t, "roomgate.yaml", change.settings)
		r.reload("ok")
		if got, _ := get(t, r.front+"/playground/"); got != change.want {
			t.Errorf("with %q the page is %d, want %d", change.settings, got, change.want)
		}
	}
}

// The page is of roomgate's own host: that is not listed by itself where others are.
func TestPlaygroundsOriginMustBeListedIfAnyIs(t *testing.T) {
	r := serve(t, redistest.Start(t).URL(), "ROOMGATE_HTTP_PLAYGROUND=true")
	c := r.dialFrom(r.front)
	c.WantType("hello")
	other := serve(t, redistest.Start(t).URL(), "ROOMGATE_HTTP_PLAYGROUND=true", "CORS_ORIGIN=https://app.example.com")
	if got := other.dialFrom(other.front).Response.StatusCode; got != http.StatusForbidden {
		t.Errorf("a page that is not listed gets %d, want 403", got)
	}
}

func TestPlaygroundDoesNotShadowTheGateway(t *testing.T) {
	code, _, stderr := command(t, []string{"JWT_SECRET=" + testSecret}, "serve", "--http.playground", "--http.path", "/playground/ws")
	if code == 0 || !strings.Contains(stderr, "http.playground (flag --http.playground): is served at /playground/, which http.path, /playground/ws, takes") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
