package main

import (
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roomgate/roomgate/config"
	"github.com/roomgate/roomgate/internal/redistest"
	"github.com/roomgate/roomgate/internal/secrecy"
	"github.com/roomgate/roomgate/internal/wstest"
)

// look returns what the operator's view reads, and its text.
func (r *replica) look() (o overview, text string) {
	r.t.Helper()
	status, text := get(r.t, r.admin+"/overview.json")
	if status != http.StatusOK {
		r.t.Fatalf("/overview.json is %d %s", status, text)
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		r.t.Fatal(err)
	}
	return o, text
}

// awaitLook waits until what the view reads is as ok wants it.
func (r *replica) awaitLook(what string, ok func(overview) bool) (o overview) {
	r.t.Helper()
	for deadline := time.Now().Add(wstest.Patience); !ok(o); time.Sleep(50 * time.Millisecond) {
		if o, _ = r.look(); time.Now().After(deadline) {
			r.t.Fatalf("waited in vain: %s; got %+v", what, o)
		}
	}
	return o
}

func TestOverviewTellsOfConnectionsRoomsAndTalkersButOfNoPayload(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	clients := []*wstest.Client{r.dial("large", "small"), r.dial("large"), r.dial("large")}
	for range 5 {
		clients[0].SendText(`{"type":"publish","room":"small","data":"a-payload-of-somebody"}`)
		_, _ = clients[0].Next(), clients[0].Next() // message and published, in either order
	}
	o, text := r.look()
	if o.Connections.Now != 3 || o.Rooms.Now != 2 || o.Redis.Rooms != 2 || !o.Ready || !o.Redis.Up || o.Reason != "" || o.Drain != nil {
		t.Errorf("got %s, want a ready replica with 3 connections in 2 rooms", text)
	}
	if len(o.Rooms.ByMembers) != 2 || o.Rooms.ByMembers[0].Room != "large" || o.Rooms.ByMembers[0].Members != 3 {
		t.Errorf("by members: got %+v, want large with 3 first", o.Rooms.ByMembers)
	}
	if len(o.Rooms.ByMessages) != 1 || o.Rooms.ByMessages[0].Room != "small" || o.Rooms.ByMessages[0].Rate <= 0 {
		t.Errorf("by messages: got %+v, want small alone", o.Rooms.ByMessages)
	}
	if len(o.Talkers) != 1 || o.Talkers[0].Sub != "u1" || o.Talkers[0].Connections != 3 || o.Talkers[0].Rate <= 0 {
		t.Errorf("talkers: got %+v, want u1 on 3 connections", o.Talkers)
	}
	if strings.Contains(text, "a-payload-of-somebody") {
		t.Errorf("a payload is in it: %s", text)
	}
}

func TestOverviewTellsOfRefusedTokensByReasonAndAsEvents(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	c := wstest.Dial(t, r.url, "Sec-WebSocket-Protocol: roomgate.v1", "Authorization: Bearer no-token")
	c.WantClose(4002)
	o := r.awaitLook("the next sample", func(o overview) bool { return len(o.AuthFailures) > 0 })
	if got := o.AuthFailures[0]; got.Reason != "malformed" || got.OfLate != 1 || got.Total != 1 {
		t.Errorf("got %+v, want one that is malformed", got)
	}
	if !slices.ContainsFunc(o.Events, func(e recentEvent) bool {
		return e.Event == "auth_failed" && e.Level == "WARN" && e.Attributes["reason"] == "malformed" && e.Attributes["addr"] == "127.0.0.1"
	}) {
		t.Errorf("got %+v, want the refused token among them", o.Events)
	}
	times := len(o.History.Times)
	lists := reflect.ValueOf(o.History)
	for i := range lists.NumField() {
		if list := lists.Field(i); list.Kind() == reflect.Slice && list.Len() != times {
			t.Errorf("%s has %d values, and there are %d times", lists.Type().Field(i).Name, list.Len(), times)
		}
	}
}

func TestOverviewSaysThatRedisIsDownAndWhy(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL())
	redis.Kill()
	o := r.awaitLook("Redis down", func(o overview) bool { return !o.Started.IsZero() && !o.Redis.Up })
	if o.Ready || !strings.HasPrefix(o.Redis.Reason, "redis: unproven for ") || o.Reason != o.Redis.Reason {
		t.Errorf("ready %v: %q; Redis: %q; want not ready, and why", o.Ready, o.Reason, o.Redis.Reason)
	}
}

func TestOverviewShowsADrainAndHowFarItHasCome(t *testing.T) {
	redis := redistest.Start(t)
	r := serve(t, redis.URL(), "ROOMGATE_DRAIN_DELAY=1s", "ROOMGATE_DRAIN_PERIOD=1500ms")
	var leaving sync.WaitGroup
	for range 10 {
		c := r.dial("42")
		leaving.Go(func() { // as clients do, when they are told
			for {
				if f, err := c.NextErr(); err != nil || f.Op == wstest.Close {
					c.Drop()
					return
				}
			}
		})
	}
	r.signals <- syscall.SIGTERM
	r.awaitLook("the delay", func(o overview) bool { return o.Drain != nil && !o.Drain.Closing && o.Drain.Remaining == 10 })
	o := r.awaitLook("half of it", func(o overview) bool { return o.Drain != nil && o.Drain.Closing && o.Drain.Remaining <= 5 })
	if o.Drain.Total != 10 || o.Drain.Period != 1.5 || o.Drain.Delay != 1 || o.Ready || o.Reason != "draining" || time.Since(o.Drain.Began) > time.Minute {
		t.Errorf("got %+v, ready %v, want 5 of 10 left, and not ready", o.Drain, o.Ready)
	}
	if got, want := r.wait(), 0; got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
	leaving.Wait()
}

func TestOperatorsViewAnswersNobodyWhoCameToLoopbackUnderAnotherName(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1")
	for _, path := range []string{"/", "/overview.json"} {
		if status, _ := get(t, r.admin+path, "Host", "evil.example.com:9090"); status != http.StatusForbidden {
			t.Errorf("GET %s as evil.example.com is %d, want 403", path, status)
		}
		if status, _ := get(t, r.admin+path, "Host", "localhost:9090"); status != http.StatusOK {
			t.Errorf("GET %s as localhost is %d, want 200", path, status)
		}
	}
	if status, _ := get(t, r.admin+"/readyz", "Host", "evil.example.com"); status == http.StatusForbidden {
		t.Error("/readyz is for probes, whatever they call it")
	}
}

func TestOperatorsPageLoadsNothingFromElsewhere(t *testing.T) {
	r := serveUnready(t, "redis://127.0.0.1:1")
	answer, err := http.Get(r.admin + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	policy := answer.Header.Get("Content-Security-Policy")
	wantIn(t, policy, "default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'")
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy allows too much: %s", policy)
	}
	for _, path := range []string{"/main.js", "/style.css"} {
		if status, _ := get(t, r.admin+path); status != http.StatusOK {
			t.Errorf("GET %s is %d, want 200", path, status)
		}
	}
	if status, _ := get(t, r.admin+"/no-such-page"); status != http.StatusNotFound {
		t.Errorf("a page that is none is %d, want 404", status)
	}
}

// docs/operating.md has a row for each field: | `connections.now` | … |.
func TestOperatorsPageExplainsEachFieldOfTheOverviewAndNoOther(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n### The fields of /overview.json\n")
	if !found {
		t.Fatal("docs/operating.md has no section of the fields")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	told := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			told[name[1]] = true
		}
	}
	there := map[string]bool{}
	fieldsOf(reflect.TypeFor[overview](), "", there)
	for name := range there {
		if !told[name] {
			t.Errorf("%s is not explained", name)
		}
	}
	for name := range told {
		if !there[name] {
			t.Errorf("%s is explained, and is no field", name)
		}
	}
}

// fieldsOf notes the names of all fields that hold something, such as rooms.by_members[].room.
func fieldsOf(t reflect.Type, prefix string, names map[string]bool) {
	for i := range t.NumField() {
		name, inner := prefix+t.Field(i).Tag.Get("json"), t.Field(i).Type
		if inner.Kind() == reflect.Slice {
			name, inner = name+"[]", inner.Elem()
		}
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]() {
			fieldsOf(inner, name+".", names)
		} else {
			names[name] = true
		}
	}
}

// What the view costs: the process each 5 s, and who asks.
func BenchmarkOverview(b *testing.B) {
	c, err := config.Load(config.Source{Environ: []string{"JWT_SECRET=" + testSecret}})
	if err != nil {
		b.Fatal(err)
	}
	s, err := newServer(c, secrecy.Log(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sample", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.metrics.Gather(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("answer", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(s.overview(b.Context())); err != nil {
				b.Fatal(err)
			}
		}
	})
}
