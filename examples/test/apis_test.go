package test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

// An api is one of the examples, and how it is started, as its README says.
type api struct {
	name    string
	command func(t *testing.T) []string
	where   func(port string) []string // to listen, in its environment
}

var apis = []api{
	{"node", nodeCommand, func(port string) []string { return []string{"PORT=" + port} }},
	{"python", pythonCommand, func(port string) []string { return []string{"FLASK_RUN_PORT=" + port} }},
	{"go", goCommand, func(port string) []string { return []string{"ADDR=127.0.0.1:" + port} }},
}

func nodeCommand(t *testing.T) []string {
	check := exec.Command("node", "--input-type=module", "-e", "import 'jose'; import 'redis'")
	check.Dir = "../node"
	if out, err := check.CombinedOutput(); err != nil {
		t.Fatalf("install Node 20 or newer, and run npm ci at the root of the repository: %v\n%s", err, out)
	}
	return []string{"node", "server.js"}
}

func pythonCommand(t *testing.T) []string {
	for _, python := range []string{"python3", "/usr/bin/python3"} { // the system's has the packages of the system
		if exec.Command(python, "-c", "import flask, jwt, redis").Run() == nil {
			return []string{python, "-m", "flask", "--app", "server", "run"}
		}
	}
	t.Fatal("install Python 3 with Flask, PyJWT and redis: apt-get install python3-flask python3-jwt python3-redis, or pip install -r examples/python/requirements.txt")
	return nil
}

func goCommand(t *testing.T) []string {
	path, err := apiBinary()
	if err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

// start starts the API, and returns where it listens, host:port.
func (a api) start(t *testing.T, env ...string) (p process, addr string) {
	t.Helper()
	port := redistest.FreePort(t)
	p, _ = start(t, "../"+a.name, append(env, a.where(port)...), a.command(t)...)
	addr = "127.0.0.1:" + port
	await(t, a.name+" listens", func() bool { status, _ := get(t, "http://"+addr+"/"); return status == http.StatusOK })
	return p, addr
}

// Each API stands behind roomgate's one port, with the settings of the sidecar's manifest.
func TestEachAPILogsInPublishesAndKeepsRoomsApart(t *testing.T) {
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			_, addr := a.start(t, "JWT_SECRET="+secret, "REDIS_URL="+redis.URL())
			g := startGateway(t, sidecarSettings(t), "REDIS_URL="+redis.URL(), "ROOMGATE_HTTP_UPSTREAM=http://"+addr)
			visit(t, g.url)
		})
	}
}

// As process 1 of a container a program that leaves SIGTERM to the kernel goes on, and with it the sidecar waits for SIGKILL.
func TestNodeAPIHandlesSIGTERM(t *testing.T) {
	t.Parallel()
	p, _ := apis[0].start(t, "JWT_SECRET="+secret, "REDIS_URL="+redistest.Start(t).URL())
	if !p.stop() {
		t.Fatalf("it goes on for %v after SIGTERM", stopTime)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != 0 {
		t.Errorf("on SIGTERM it ends with %d (-1: killed by the signal), want 0", got)
	}
}

// visit does what users do at an API and a gateway that are both at base.
func visit(t *testing.T, base string) {
	t.Helper()
	page, err := os.ReadFile("../page.html")
	if err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, base+"/"); status != http.StatusOK || body != string(page) {
		t.Errorf("GET / is %d with %d bytes, want 200 and the page", status, len(body))
	}
	for _, form := range []url.Values{{"name": {"ada"}, "password": {"bobbin"}}, {"name": {"eve"}, "password": {"x"}}, {"name": {"toString"}, "password": {"x"}}} {
		if status, body := post(t, base+"/login", "", form); status != http.StatusUnauthorized {
			t.Errorf("a login as %s with a wrong password is %d %s, want 401", form["name"], status, body)
		}
	}
	ada, bob := login(t, base, "ada", "lovelace"), login(t, base, "bob", "bobbin")

	const v1, raw = "roomgate.v1", "roomgate.raw.v1"
	adas, adasRaw, bobs := dial(t, base, "", v1, ada), dial(t, base, "?room=42", raw, ada), dial(t, base, "", v1, bob)
	hello := adas.WantType("hello")
	if rooms, ok := hello["rooms"].([]any); hello["sub"] != "ada" || !ok || !slices.Equal(rooms, []any{"42"}) {
		t.Errorf("ada's hello is %v, want sub ada and room 42", hello)
	}
	bobs.WantType("hello")
	adasRaw.Send(wstest.Ping, nil)
	if f, err := adasRaw.Read(); err != nil || f.Op != wstest.Pong {
		t.Fatalf("got %v %v, want a pong, which says that the room is joined", f, err)
	}

	const text = "\"hi\" & <b>grüße</b> 🚀 \\ \u2028 100 %"
	status, message := post(t, base+"/messages", ada, url.Values{"room": {"42"}, "text": {text}})
	var said struct{ From, Text string }
	if err := json.Unmarshal([]byte(message), &said); status != http.StatusCreated || err != nil || said.From != "ada" || said.Text != text {
		t.Fatalf("POST /messages is %d %s (%v), want 201 and what was published: from ada, %s", status, message, err, text)
	}
	adas.WantText(`{"type":"message","room":"42","data":` + message + `}`)
	adasRaw.WantText(message)
	_, bobsMessage := post(t, base+"/messages", bob, url.Values{"room": {"43"}, "text": {text}})
	bobs.WantText(`{"type":"message","room":"43","data":` + bobsMessage + `}`) // and nothing of 42 before

	wantRefusals(t, base, ada)
}

// wantRefusals expects neither the API nor the gateway to let ada into bob's room, nor whoever has no good token into any.
func wantRefusals(t *testing.T, base, ada string) {
	t.Helper()
	dial(t, base, "?room=43", "roomgate.v1", ada).WantClose(4003)
	forged, err := auth.Sign([]byte("another secret, which is long enough for HS256, too"),
		map[string]any{"sub": "ada", "rooms": []string{"42"}, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	dial(t, base, "", "roomgate.v1", forged).WantClose(4002)
	for _, c := range []struct {
		room, token string
		want        int
	}{{"43", ada, http.StatusForbidden}, {"42", forged, http.StatusUnauthorized}, {"42", "", http.StatusUnauthorized}} {
		status, body := post(t, base+"/messages", c.token, url.Values{"room": {c.room}, "text": {"hi"}})
		secrecy.Text(t, body)
		if status != c.want {
			t.Errorf("POST /messages to room %s with a token of %d bytes is %d %s, want %d", c.room, len(c.token), status, body, c.want)
		}
	}
}

func login(t *testing.T, base, name, password string) (token string) {
	t.Helper()
	status, token := post(t, base+"/login", "", url.Values{"name": {name}, "password": {password}})
	if status != http.StatusOK || strings.Count(token, ".") != 2 {
		t.Fatalf("the login of %s is %d, want 200 and a token", name, status)
	}
	return token
}

func post(t *testing.T, url, token string, form url.Values) (status int, body string) {
	t.Helper()
	return do(t, http.MethodPost, url, token, strings.NewReader(form.Encode()))
}

func dial(t *testing.T, base, query, format, token string) *wstest.Client {
	t.Helper()
	return wstest.Dial(t, "ws"+strings.TrimPrefix(base, "http")+"/ws"+query, "Sec-WebSocket-Protocol: "+format+", bearer."+token)
}
