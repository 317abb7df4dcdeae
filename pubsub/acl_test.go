package pubsub

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
)

// pageACLs returns the ACL SETUSER lines of docs/operating.md, by their order: of a gateway that
// publishes and of one that does not, what control, auth.revoked and a Cluster add, of a user of
// Sentinels, of sharded pub/sub, of a backend, and what that needs to take users out.
func pageACLs(t *testing.T) (lines [9][]any) {
	t.Helper()
	page, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "ACL SETUSER ") {
			continue
		}
		if n == len(lines) {
			t.Fatalf("docs/operating.md has more ACL lines than this test knows: %s", line)
		}
		for _, word := range strings.Fields(strings.ReplaceAll(line, "PASSWORD", secret)) {
			lines[n] = append(lines[n], word)
		}
		n++
	}
	if n != len(lines) {
		t.Fatalf("docs/operating.md has %d ACL lines, want %d", n, len(lines))
	}
	return lines
}

func TestACLsOfTheOperatorsPageAreEnough(t *testing.T) {
	acls := pageACLs(t)
	publishing, listening, control, revoked, cluster, backend, takingOut := acls[0], acls[1], acls[2], acls[3], acls[4], acls[7], acls[8] // 5 is for Sentinels, 6 for sharded pub/sub
	for name, gateway := range map[string][]any{"publishing": publishing, "listening": listening} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			admin := s.Client()
			for _, acl := range [][]any{gateway, control, revoked, cluster, backend, takingOut} {
				if err := admin.Do(t.Context(), acl...).Err(); err != nil {
					t.Fatalf("%v: %v", acl[:3], err)
				}
			}
			o := fast(s)
			o.Username, o.Password, o.ChannelPrefix, o.ControlChannel = "roomgate", secret, "room:", "roomgate:control"
			b, r := run(t, o)
			subscribe(t, b, "a")
			if _, err := b.Exists(t.Context(), "roomgate:revoked:u1"); err != nil {
				t.Errorf("asking who is revoked: %v", err)
			}
			err := b.Publish(t.Context(), "a", []byte("x"))
			if mayPublish := name == "publishing"; (err == nil) != mayPublish || err != nil && !strings.Contains(err.Error(), "NOPERM") {
				t.Errorf("publishing to a room: %v", err)
			}
			as := func(user string) *redis.Client {
				c := redis.NewClient(&redis.Options{Addr: s.Addr(), Username: user, Password: secret, Protocol: 2, DisableIdentity: true})
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			wantBackend(t, as("backend"))
			wantRefused(t, as("roomgate"), "SUBSCRIBE elsewhere", "PUBLISH elsewhere x", "GET roomgate:revoked:u1", "SET roomgate:revoked:u1 1", "KEYS *", "CONFIG GET *")
			wantRefused(t, as("backend"), "SUBSCRIBE room:a", "PUBLISH roomgate:canary:x x", "GET roomgate:revoked:u1", "KEYS *")
			eventually(t, "the backend's message", func() bool { return len(r.got("a")) > 0 })
			if err := b.Ready(); err != nil {
				t.Errorf("not ready: %v", err)
			}
		})
	}
}

// wantBackend expects c to be able to do what a backend does.
func wantBackend(t *testing.T, c *redis.Client) {
	t.Helper()
	for _, err := range []error{
		c.Publish(t.Context(), "room:a", "y").Err(),
		c.Publish(t.Context(), "roomgate:control", "{}").Err(),
		c.Do(t.Context(), "SET", "roomgate:revoked:u2", "1", "EX", "900").Err(),
	} {
		if err != nil {
			t.Errorf("the backend: %v", err)
		}
	}
}

// wantRefused expects Redis to forbid c each of commands.
func wantRefused(t *testing.T, c *redis.Client, commands ...string) {
	t.Helper()
	for _, command := range commands {
		var args []any
		for _, word := range strings.Fields(command) {
			args = append(args, word)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := c.Do(ctx, args...).Err()
		cancel()
		if err == nil || !strings.HasPrefix(fmt.Sprint(err), "NOPERM") {
			t.Errorf("%s: got %v, want NOPERM", command, err)
		}
	}
}
