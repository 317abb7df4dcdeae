package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/roomgate/roomgate/internal/wstest"
)

// A demonstration is a running demo and what it told on the terminal.
type demonstration struct {
	*process
	page, port, token, url string
}

var demoTold = regexp.MustCompile(`(?s)Open +(http://\S+)/\n.*redis-cli -p (\d+) PUBLISH room:42 .*T=(\S+)\n.* tail (ws://\S+)\n`)

func startDemo(t *testing.T, environ ...string) demonstration {
	t.Helper()
	d := demonstration{process: start(t, environ, "demo", "--http.addr", "127.0.0.1:0")}
	var told []string
	await(t, "the lines of the demo", func() bool {
		told = demoTold.FindStringSubmatch(d.stdout.String())
		return told != nil
	})
	d.page, d.port, d.token, d.url = told[1], told[2], told[3], told[4]
	return d
}

func (d demonstration) redis() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: net.JoinHostPort("127.0.0.1", d.port), DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	d.t.Cleanup(func() { _ = c.Close() })
	return c
}

// dial connects as soon as the demo is ready.
func (d demonstration) dial(token string) (c *wstest.Client) {
	d.t.Helper()
	await(d.t, "an upgrade", func() (upgraded bool) {
		var err error
		c, err = wstest.Try(d.t, d.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token, "Origin: "+d.page)
		return err == nil && c.Response.StatusCode == http.StatusSwitchingProtocols
	})
	c.WantType("hello")
	return c
}

func TestDemoRelaysFromItsRedisToClientsAtOnce(t *testing.T) {
	began := time.Now()
	d := startDemo(t)
	c := d.dial(d.token)
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v until a client was in its room, want less than 1s", took)
	}
	if err := d.redis().Publish(t.Context(), "room:42", `{"text":"hi"}`).Err(); err != nil {
		t.Fatal(err)
	}
	c.WantText(`{"type":"message","room":"42","data":{"text":"hi"}}`)

	code, _, stderr := command(t, nil, "publish", "--redis.url", "redis://127.0.0.1:"+d.port, "42", "by roomgate")
	if code != 0 {
		t.Errorf("publish: exit code %d, %s", code, stderr)
	}
	c.WantText(`{"type":"message","room":"42","text":"by roomgate"}`)

	d.signals <- os.Interrupt
	c.WantType("bye")
	c.WantClose(4201)
	if got := d.wait(); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
}

func TestDemoPageConnectsWithItsOwnToken(t *testing.T) {
	d := startDemo(t)
	status, body := getSecret(t, d.page+"/demo/token", "Sec-Fetch-Site", "same-origin")
	var given struct{ Token, Room, Path, RedisCLI string }
	if err := json.Unmarshal([]byte(body), &given); status != http.StatusOK || err != nil {
		t.Fatalf("/demo/token is %d %s", status, body)
	}
	c := d.dial(given.Token)
	c.SendText(`{"type":"publish","room":"` + given.Room + `","data":{"a":1},"ref":1}`)
	got := []string{string(c.Next().Payload), string(c.Next().Payload)} // in either order
	wantIn(t, strings.Join(got, "\n"), `{"type":"message","room":"42","data":{"a":1}}`, `{"type":"published","ref":1}`)
}

func TestDemoPageIsThePlaygroundWithTheDemosSettings(t *testing.T) {
	d := startDemo(t)
	answer, err := http.Get(d.page + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	host := strings.TrimPrefix(d.page, "http://")
	wantIn(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'", "connect-src 'self' ws://"+host+" wss://"+host+";")
	for _, file := range []string{"/main.js", "/style.css", "/icon.svg"} {
		if status, _ := get(t, d.page+file); status != http.StatusOK {
			t.Errorf("%s is %d, want 200", file, status)
		}
	}
	_, body := get(t, d.page+"/settings.json")
	wantIn(t, body, `"path":"/ws","prefix":"room:"`, `"demo":{"room":"42","redis":"127.0.0.1:`+d.port+`","program":`)
}

func TestDemoAnswersOnlyToLoopbackNamesAndItsOwnPage(t *testing.T) {
	d := startDemo(t)
	for _, header := range [][]string{
		{"Host", "evil.example.com"}, {"Host", "evil.example.com:8080"}, {"Host", "127.0.0.1.evil.example.com"},
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example.com"},
	} {
		if status, body := getSecret(t, d.page+"/demo/token", header...); status != http.StatusForbidden {
			t.Errorf("/demo/token with %s is %d %s, want 403", header, status, body)
		}
	}
	for _, host := range []string{"localhost:1", "127.0.0.1", "[::1]:80", "[::1]"} {
		if status, _ := getSecret(t, d.page+"/demo/token", "Host", host); status != http.StatusOK {
			t.Errorf("/demo/token with Host %s is %d, want 200", host, status)
		}
	}
}

func TestDemoIgnoresWhatIsMeantForServe(t *testing.T) {
	d := startDemo(t, "JWT_SECRET=short", "PORT=80", "CORS_ORIGIN=https://app.example.com", "ROOMGATE_CONFIG=/nowhere")
	d.dial(d.token)
}

func TestDemoTakesAFreePortIfItsOwnIsTaken(t *testing.T) {
	if l, err := net.Listen("tcp", demoAddr); err == nil { // otherwise it is taken already
		defer l.Close()
	}
	d := start(t, nil, "demo")
	await(t, "the lines of the demo", func() bool { return demoTold.MatchString(d.stdout.String()) })
	wantIn(t, d.stderr.String()+d.stdout.String(), "Another process listens on 127.0.0.1:8080, so this takes a free port.", "Open      http://127.0.0.1:")
}
