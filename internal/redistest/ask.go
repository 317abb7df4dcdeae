package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	awaitLimit = 30 * time.Second      // for what several servers must come to
	awaitPoll  = 20 * time.Millisecond // between two looks until then
)

// ask has the server run cmd, as its user "default", and returns cmd's error.
func (s *Server) ask(cmd redis.Cmder) error {
	if s.asker == nil {
		o := s.options()
		o.Password = s.password
		s.asker = redis.NewClient(o)
		s.t.Cleanup(func() { s.asker.Close() })
	}
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	if err := s.asker.Process(ctx, cmd); err != nil {
		return fmt.Errorf("%v of %s: %w", cmd.Args(), s.Addr(), err)
	}
	return nil
}

// do has the server run a command whose answer says nothing but that it worked.
func (s *Server) do(args ...any) error { return s.ask(redis.NewCmd(context.Background(), args...)) }

// text has the server run a command that answers with text.
func (s *Server) text(args ...any) (string, error) {
	cmd := redis.NewStringCmd(context.Background(), args...)
	err := s.ask(cmd)
	return cmd.Val(), err
}

// role is the server's own word on whether it is a "master" or a "slave", and a slave's on whether it
// has all of its master's data: "connected".
func (s *Server) role() (role, link string, err error) {
	cmd := redis.NewSliceCmd(context.Background(), "ROLE")
	if err := s.ask(cmd); err != nil {
		return "", "", err
	}
	said := cmd.Val() // master: role, offset, replicas; slave: role, host, port, state, offset
	role, _ = said[0].(string)
	if role == "slave" {
		link, _ = said[3].(string)
	}
	return role, link, nil
}

// await returns once holds says nil; the test fails with its last error if that takes too long.
func await(t testing.TB, what string, holds func() error) {
	t.Helper()
	deadline := time.Now().Add(awaitLimit)
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, awaitLimit, err)
		}
		time.Sleep(awaitPoll)
	}
}

// live are those of the servers that run and are not paused. If none is, the test fails.
func live(t testing.TB, servers []*Server) (living []*Server) {
	t.Helper()
	for _, s := range servers {
		if s.live() {
			living = append(living, s)
		}
	}
	if living == nil {
		t.Fatal("no redis-server is left to ask")
	}
	return living
}

// byAddr is the one of the servers that listens there; nil if none does.
func byAddr(servers []*Server, addr string) *Server {
	for _, s := range servers {
		if s.Addr() == addr {
			return s
		}
	}
	return nil
}

// isMaster returns nil if the server itself says that it is a master.
func (s *Server) isMaster() error {
	role, _, err := s.role()
	if err == nil && role != "master" {
		err = fmt.Errorf("%s says that it is a %s", s.Addr(), role)
	}
	return err
}

// scheme is how a URL begins of servers whose certificates are of ca.
func scheme(ca *authority) string {
	if ca != nil {
		return "rediss"
	}
	return "redis"
}

// addrs is the addresses of the servers, with commas between them.
func addrs(servers []*Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Addr())
	}
	return strings.Join(all, ",")
}
