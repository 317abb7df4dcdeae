package pubsub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roomgate/roomgate/internal/redistest"
)

func exists(t *testing.T, b *Broker, keys ...string) bool {
	t.Helper()
	found, err := b.Exists(t.Context(), keys...)
	if err != nil {
		t.Errorf("Exists(%q): %v", keys, err)
	}
	return found
}

func TestExistsFindsAnyOfTheKeys(t *testing.T) {
	s := redistest.Start(t)
	b, _ := run(t, fast(s))
	if err := s.Client().Set(t.Context(), "revoked:u1", "", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		keys []string
		want bool
	}{
		{nil, false},
		{[]string{"revoked:u1"}, true},
		{[]string{"revoked:u2"}, false},
		{[]string{"revoked:u2", "revoked:u1"}, true},
		{[]string{"revoked:u1", "revoked:u2"}, true},
		{[]string{"revoked:u2", "revoked:u3"}, false},
		{[]string{""}, false},
	} {
		if got := exists(t, b, c.keys...); got != c.want {
			t.Errorf("Exists(%q) = %v, want %v", c.keys, got, c.want)
		}
	}
}

func TestExistsLooksInTheDatabaseOfTheURL(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.URL += "/3"
	b, _ := run(t, o)
	c := s.Client()
	if err := c.Set(t.Context(), "in 0", "", 0).Err(); err != nil {
		t.Fatal(err)
	}
	in3 := c.Conn()
	defer in3.Close()
	if err := in3.Select(t.Context(), 3).Err(); err != nil {
		t.Fatal(err)
	}
	if err := in3.Set(t.Context(), "in 3", "", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := in3.Select(t.Context(), 0).Err(); err != nil {
		t.Fatal(err)
	}
	if exists(t, b, "in 0") || !exists(t, b, "in 3") {
		t.Error("with /3 at the end of the URL, Exists does not look in database 3")
	}
}

func TestExistsTellsThatItCouldNotLookAndShowsNoKey(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client()
	rules := append(slices.Clone(recipe), "~revoked:*", "+exists")
	restrict(t, c, rules...)
	b, _ := run(t, asGate(s))
	const key = "revoked:someone"
	if exists(t, b, key, "revoked:u2") {
		t.Error("found what is not there")
	}
	check := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "someone") {
			t.Errorf("%s: %v, want %q and no key", what, err, want)
		}
	}
	_, err := b.Exists(t.Context(), "someone:else", key)
	check("a key that the ACL forbids", err, "NOPERM")
	restrict(t, c, recipe...)
	_, err = b.Exists(t.Context(), key)
	check("a command that the ACL forbids", err, "NOPERM")
	s.Kill()
	_, err = b.Exists(t.Context(), key)
	check("without Redis", err, "looking keys up: ")
}

func TestExistsWaitsNoLongerThanItsContext(t *testing.T) {
	s := redistest.Start(t)
	o := fast(s)
	o.Timeout = time.Hour
	b, _ := run(t, o)
	exists(t, b, "a") // connects
	s.Pause()
	defer s.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := b.Exists(ctx, "a"); err == nil {
		t.Error("a stopped Redis has answered")
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %v, with a context of 50ms", took)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := b.Exists(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v, want %v", err, context.Canceled)
	}
}

func TestTryExistsNamesTheForbiddenCommandAndTheRuleThatHelps(t *testing.T) {
	s := redistest.Start(t)
	c := s.Client()
	for _, test := range []struct {
		db    string
		rules []any
		want  []string // empty: no error
	}{
		{"", recipe, []string{"NOPERM", "'exists'", "ACL SETUSER gate +exists ~revoked:*"}},
		{"", append(slices.Clone(recipe), "+exists", "~other:*"), []string{"NOPERM", "ACL SETUSER gate +exists ~revoked:*"}},
		{"", append(slices.Clone(recipe), "+exists", "~revoked:*"), nil},
		{"/3", append(slices.Clone(recipe), "+exists", "~revoked:*"), []string{"NOPERM", "'select'", "ACL SETUSER gate +exists ~revoked:* +select"}},
		{"/3", append(slices.Clone(recipe), "+exists", "+select", "~revoked:*"), nil},
	} {
		restrict(t, c, test.rules...)
		o := asGate(s)
		o.URL += test.db
		err := ProbeExists(t.Context(), o, "revoked:")
		if err == nil != (len(test.want) == 0) {
			t.Errorf("database %q with %v: %v, want %q", test.db, test.rules, err, test.want)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("database %q with %v: %v, want %q in it", test.db, test.rules, err, want)
			}
		}
	}
}
