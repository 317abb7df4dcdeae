package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/wstest"
)

// A whole run at the level that tells most, with tokens good and bad in every place where one may be.
func TestNoTokenInAnyOutput(t *testing.T) {
	const password = "a-password-of-redis"
	redis := redistest.Start(t, "--requirepass", password)
	at := "redis://:" + password + "@" + redis.Addr()
	r := serve(t, at, "ROOMGATE_LOG_LEVEL=debug", "ROOMGATE_AUTH_TOKEN_FROM=header,subprotocol,query,cookie,message",
		"ROOMGATE_AUTH_COOKIE=gate", "ROOMGATE_HTTP_ALLOWED_ORIGINS=https://app.example.com")
	s := &answers{t: t, r: r, said: &strings.Builder{}}
	good := newToken(t, "u1", "42")
	expired, err := auth.Sign([]byte(testSecret), map[string]any{"sub": "u1", "exp": time.Now().Add(-time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	bad := good[:len(good)-6] + "AAAAAA"

	for _, token := range []string{good, expired, bad, "not-a-token-but-a-secret"} {
		s.try(r.url, "Authorization: Bearer "+token)
		s.try(r.url + "/deeper?token=" + token)
		s.try(r.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token)
		s.try(r.url, "Sec-WebSocket-Protocol: bearer."+token)
		s.try(r.url, "Cookie: gate="+token)
		s.try(r.url+"?token="+token, "Origin: https://evil.example.com")
		s.try(r.url + "?room=43&token=" + token)
		s.try(r.url + "?room=no%20room&token=" + token)
		s.try(strings.TrimSuffix(r.url, "/ws") + "/elsewhere?token=" + token)
		s.try(r.url+"?token="+token+"&token="+good, "Authorization: Bearer "+token+"x")
		s.byMessage(token)
		_, body := get(t, r.front+"/ws?token="+token)
		s.said.WriteString(body)
	}
	s.byMessage(good, `{"type":"auth","token":"`+expired+`"}`, `{"type":"auth","token":"`+good+`"}`,
		`{"type":"publish","room":"42","data":"a-payload-of-somebody"}`, `{"type":"publish","room":"43","data":"a-payload-of-somebody"}`)
	for _, page := range []string{"/", "/overview.json", "/metrics", "/readyz", "/debug/check", "/debug/pprof/goroutine?debug=2"} {
		_, body := get(t, r.admin+page)
		s.said.WriteString(body)
	}
	r.signals <- syscall.SIGTERM
	r.wait()

	all := s.said.String() + r.stdout.String() + r.stderr.String()
	for name, secret := range map[string]string{
		"a good token": good, "its signature": good[strings.LastIndex(good, ".")+1:], "its claims": strings.Split(good, ".")[1],
		"an expired token": expired, "a forged token": bad, "what is no token": "not-a-token-but-a-secret",
		"the secret": testSecret, "the password of Redis": password, "a query": "token=", "a payload": "a-payload-of-somebody",
	} {
		if i := strings.Index(all, secret); i >= 0 {
			t.Errorf("%s is in the output: …%s…", name, all[max(0, i-200):min(len(all), i+100)])
		}
	}
	wantIn(t, all, `"event":"auth_failed"`, `"event":"origin_refused"`, `"event":"connection_closed"`)
}

// answers gathers what a server says to its clients: refusals, close reasons and frames of its own.
type answers struct {
	t    *testing.T
	r    *replica
	said *strings.Builder
}

func (s *answers) try(url string, header ...string) {
	c, err := wstest.Try(s.t, url, header...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Drop()
	if c.Response.StatusCode != http.StatusSwitchingProtocols {
		_ = c.Response.Write(s.said) // with head and body
		return
	}
	s.hear(c)
}

// byMessage sends a token as the first message, and then others.
func (s *answers) byMessage(token string, others ...string) {
	c := wstest.Dial(s.t, s.r.url, "Sec-WebSocket-Protocol: roomgate.v1")
	defer c.Drop()
	c.SendText(`{"type":"auth","token":"` + token + `","ref":1}`)
	for _, text := range others {
		c.SendText(text)
	}
	s.hear(c)
}

// hear says goodbye, and takes down what comes up to the end, but for messages, which are somebody's own.
func (s *answers) hear(c *wstest.Client) {
	_ = c.SendErr(wstest.Close, []byte{1000 >> 8, 1000 & 0xFF}) // the server may have closed already
	for {
		f, err := c.NextErr()
		if err != nil {
			return
		}
		if !strings.Contains(string(f.Payload), `"type":"message"`) {
			s.said.WriteString(f.String() + "\n")
		}
	}
}
