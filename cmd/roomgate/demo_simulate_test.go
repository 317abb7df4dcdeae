package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

// simulate asks the demo to break something, as its page does; header lines are name and value in turn.
func (d demonstration) simulate(name, body string, header ...string) (status int, answer map[string]any) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.page+"/demo/simulate/"+name, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil {
		d.t.Fatalf("%s is answered by %d %s: %v", name, response.StatusCode, text, err)
	}
	if name != "expire" { // which is there to give away a token
		secrecy.Text(d.t, string(text))
	}
	return response.StatusCode, answer
}

func (d demonstration) wantSimulated(name, body string) map[string]any {
	d.t.Helper()
	status, answer := d.simulate(name, body, simulateHeader, "1", "Origin", d.page, "Sec-Fetch-Site", "same-origin")
	if status != http.StatusOK {
		d.t.Fatalf("%s is answered by %d %v", name, status, answer)
	}
	return answer
}

func TestDemoBreaksNothingForOtherSites(t *testing.T) {
	d := startDemo(t)
	c := d.dial(d.token)
	for _, name := range []string{"cut", "expire", "flood", "redis"} {
		for _, header := range [][]string{
			{}, // a form can be posted by any page
			{simulateHeader, "1", "Host", "evil.example.com"},
			{simulateHeader, "1", "Origin", "https://evil.example.com"},
			{simulateHeader, "1", "Origin", "null"},
			{simulateHeader, "1", "Sec-Fetch-Site", "cross-site"},
			{simulateHeader, "1", "Sec-Fetch-Site", "same-site"},
		} {
			if status, answer := d.simulate(name, "{}", header...); status != http.StatusForbidden {
				t.Errorf("%s with %q is %d %v, want 403", name, header, status, answer)
			}
		}
		if status, _ := get(t, d.page+"/demo/simulate/"+name, simulateHeader, "1"); status != http.StatusNotFound {
			t.Errorf("GET of %s is %d, want 404", name, status)
		}
	}
	c.SendText(`{"type":"ping","ref":1}`)
	c.WantText(`{"type":"pong","ref":1}`)
}

func TestDemoCutsTheConnectionThatIsNamed(t *testing.T) {
	d := startDemo(t)
	other := d.dial(d.token)
	c, err := wstest.Try(t, d.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+d.token)
	if err != nil {
		t.Fatal(err)
	}
	conn := c.WantType("hello")["conn"].(string)
	d.wantSimulated("cut", `{"conn":"`+conn+`"}`)
	c.WantGone()
	other.SendText(`{"type":"ping","ref":1}`)
	other.WantText(`{"type":"pong","ref":1}`)
	await(t, "that it is gone here, too", func() bool { // its end is seen by the client first, now and then
		status, _ := d.simulate("cut", `{"conn":"`+conn+`"}`, simulateHeader, "1")
		return status == http.StatusNotFound
	})
	for body, want := range map[string]int{
		`{"conn":""}`: http.StatusNotFound, `{}`: http.StatusNotFound,
		`[]`: http.StatusBadRequest, "": http.StatusBadRequest, `{"conn":"` + strings.Repeat("0", 2*simulateBody) + `"}`: http.StatusBadRequest,
	} {
		if status, answer := d.simulate("cut", body, simulateHeader, "1"); status != want {
			t.Errorf("cut of %.40q is %d %v, want %d", body, status, answer, want)
		}
	}
}

func TestDemoTokenThatEndsSoonIsWarnedOfAndThenEnds(t *testing.T) {
	d := startDemo(t)
	d.dial(d.token) // it is ready then, and the next is let in at once
	token := d.wantSimulated("expire", "{}")["token"].(string)
	c, err := wstest.Try(t, d.url, "Sec-WebSocket-Protocol: roomgate.v1, bearer."+token)
	if err != nil {
		t.Fatal(err)
	}
	exp := time.Unix(int64(c.WantType("hello")["exp"].(float64)), 0)
	if left := time.Until(exp); left > shortTokenTTL || left < shortTokenTTL/2 {
		t.Errorf("the token ends in %v, want in %v", left, shortTokenTTL)
	}
	if in := c.WantType("expiring")["in"].(float64); in > 10 || in < 5 {
		t.Errorf("the warning came %v s before the end, want 10", in)
	}
}

func TestDemoFloodEndsOrWarnsTheClientThatDoesNotRead(t *testing.T) {
	d := startDemo(t)
	c := d.dial(d.token)
	answer := d.wantSimulated("flood", "{}")
	if got, want := answer["bytes"].(float64), float64(floodMessages*floodBytes); got != want {
		t.Errorf("it published %v bytes, want %v", got, want)
	}
	for { // through what has come before
		f, err := c.NextErr()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.Fatal("nothing was dropped, and it was told nothing")
		case err != nil || f.CloseCode() == 4102:
			return // cut off, if its close frame did not get through
		}
		if strings.HasPrefix(string(f.Payload), `{"type":"gap"`) {
			wantIn(t, string(f.Payload), `"reason":"overload"`)
			return
		}
	}
}

func TestDemoRedisComesBackWithAGap(t *testing.T) {
	d := startDemo(t)
	c := d.dial(d.token)
	d.wantSimulated("redis", "{}")
	gap := c.WantType("gap")
	if gap["reason"] != "redis" || gap["room"] != "42" {
		t.Errorf("got %v, want a gap of room 42 by Redis", gap)
	}
	await(t, "a message after it", func() bool {
		n, err := d.redis().Publish(t.Context(), "room:42", `1`).Result()
		return err == nil && n > 0
	})
	c.WantText(`{"type":"message","room":"42","data":1}`)
}

func TestDemoThatEndsWhileItsRedisIsAwayLeavesNothing(t *testing.T) {
	d := startDemo(t)
	paused := make(chan error, 1)
	go func() { // ends when the demo does
		r, err := http.NewRequest(http.MethodPost, d.page+"/demo/simulate/redis", nil)
		if err == nil {
			r.Header.Set(simulateHeader, "1")
			var response *http.Response
			if response, err = http.DefaultClient.Do(r); err == nil {
				response.Body.Close()
			}
		}
		paused <- err
	}()
	redis := d.redis()
	await(t, "Redis to be away", func() bool { return redis.Ping(t.Context()).Err() != nil })
	d.signals <- os.Interrupt
	d.wait()
	if err := <-paused; err != nil { // either is right; that no Redis is left, the end of all tests shows
		t.Logf("the page was not answered: %v", err)
	}
}
