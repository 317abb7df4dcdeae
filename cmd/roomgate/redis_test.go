package main

import (
	"strings"
	"testing"

	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
)

func TestPublishSendsStdinToTheLastByte(t *testing.T) {
	redis := redistest.Start(t)
	heard := redis.Client().Subscribe(t.Context(), "room:42")
	defer heard.Close()
	if _, err := heard.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	const payload = "two\nlines \x00\xff\n"
	for _, args := range [][]string{{"publish", "42"}, {"publish", "42", "-"}} {
		var stdout, stderr output
		stderr.looked = secrecy.Writer(t)
		roomgate := &program{environ: []string{"REDIS_URL=" + redis.URL()}}
		if code := roomgate.execute(t.Context(), args, strings.NewReader(payload), &stdout, &stderr); code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr.String())
		}
		message, err := heard.ReceiveMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if message.Payload != payload {
			t.Errorf("%v published %q, want %q", args, message.Payload, payload)
		}
	}
}

func TestCheckIsContentWithAGoodSet(t *testing.T) {
	redis := redistest.Start(t)
	code, stdout, stderr := command(t, []string{"JWT_SECRET=" + testSecret, "REDIS_URL=" + redis.URL(), "ROOMGATE_LIMITS_CONNECTIONS=10"}, "check")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	wantIn(t, stdout, "ok    settings", "ok    secret      1, the shortest of 65 bytes", "ok    open files", "ok    redis       "+redis.URL())
}

func TestCheckTellsAWrongPassword(t *testing.T) {
	redis := redistest.Start(t, "--requirepass", "the-password")
	code, stdout, _ := command(t, []string{"JWT_SECRET=" + testSecret, "REDIS_URL=redis://:not-the-password@" + redis.Addr()}, "check")
	if code != 1 || strings.Contains(stdout, "not-the-password") {
		t.Errorf("exit code %d, stdout %s", code, stdout)
	}
	wantIn(t, stdout, "FAIL  redis", "WRONGPASS")
}
