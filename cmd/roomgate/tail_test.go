package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/auth"
	"github.com/roomgate/roomgate/internal/redistest"
)

func TestTailPrintsFramesUpToItsCount(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	tail := start(t, []string{"JWT_SECRET=" + testSecret}, "tail", r.url, "--room", "42", "--count", "2")
	await(t, "hello", func() bool { return strings.Contains(tail.stdout.String(), `"hello"`) })
	client := redis.Client()
	for _, payload := range []string{"{\n \"n\": 1\n}", "two"} {
		if err := client.Publish(t.Context(), "room:42", payload).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := tail.wait(), 0; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
	_, messages, _ := strings.Cut(tail.stdout.String(), "\n")
	want := `{"type":"message","room":"42","data":{"n":1}}` + "\n" + `{"type":"message","room":"42","text":"two"}` + "\n"
	if messages != want {
		t.Errorf("after hello it printed\n%s\nwant\n%s", messages, want)
	}
}

func TestTailPrintsRawPayloads(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_REDIS_LEAVE_DELAY=0")
	tail := start(t, []string{"ROOMGATE_TOKEN=" + newToken(t, "u1", "42")}, "tail", r.url, "--format", "raw", "--count", "1")
	client := redis.Client()
	const payload = "{ \"n\": 1 }\x00"
	ended := make(chan int, 1)
	go func() { ended <- tail.wait() }()
	for { // raw has no hello that would say when to begin
		select {
		case code := <-ended:
			if got := tail.stdout.String(); code != 0 || got != payload+"\n" {
				t.Errorf("exit code %d, printed %q, want 0 and %q", code, got, payload+"\n")
			}
			return
		case <-time.After(10 * time.Millisecond):
			if err := client.Publish(t.Context(), "room:42", payload).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTailStopsWhenItIsNotWanted(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	expired, err := auth.Sign([]byte(testSecret), map[string]any{"rooms": "42", "exp": time.Now().Add(-time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{
		expired:                      "roomgate: closed with 4002: token has expired",
		newToken(t, "u1", "another"): "roomgate: closed with 4003: the token does not allow room 42",
	} {
		code, stdout, stderr := command(t, nil, "tail", r.url, "--token", token, "--room", "42")
		if code != 1 || stdout != "" {
			t.Errorf("exit code %d, stdout %q, want 1 and nothing", code, stdout)
		}
		wantIn(t, stderr, want)
		if strings.Contains(stderr, token) {
			t.Errorf("stderr shows the token: %s", stderr)
		}
	}
}

func TestTailComesBackAfterADrain(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	tail := start(t, []string{"JWT_SECRET=" + testSecret}, "tail", r.url, "--sub", "u1", "--room", "42")
	await(t, "hello", func() bool { return strings.Contains(tail.stdout.String(), `"hello"`) })
	r.signals <- syscall.SIGTERM
	r.wait()
	await(t, "the bye", func() bool { return strings.Contains(tail.stderr.String(), "closed with 4201") })
	wantIn(t, tail.stderr.String(), "connecting again in ")

	var bye struct{ After int64 }
	for line := range strings.Lines(tail.stdout.String()) {
		if strings.Contains(line, `"bye"`) {
			if err := json.Unmarshal([]byte(line), &bye); err != nil {
				t.Fatal(err)
			}
		}
	}
	pause := (time.Duration(bye.After) * time.Millisecond).String()
	wantIn(t, tail.stderr.String(), "connecting again in "+pause)

	serve(t, redis.URL(), "ROOMGATE_HTTP_ADDR="+strings.TrimPrefix(r.front, "http://"))
	await(t, "a second hello", func() bool { return strings.Count(tail.stdout.String(), `"hello"`) == 2 })
}

func TestTailSendsNoTokenInAURL(t *testing.T) {
	code, _, stderr := command(t, nil, "tail", "ws://127.0.0.1:1/ws?token=abc.def.ghi")
	if code != 1 || strings.Contains(stderr, "abc.def.ghi") {
		t.Errorf("exit code %d, stderr %s", code, stderr)
	}
	wantIn(t, stderr, "ROOMGATE_TOKEN")
}
