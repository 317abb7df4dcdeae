package load

import (
	"net/url"
	"testing"
	"time"
)

// options are those of a load on s.
func options(s *server, connections, rooms int) Options {
	return Options{URL: s.url, Connections: connections, Rooms: rooms, TLS: s.tls,
		Query: func(_ int, room string) string { return "room=" + url.QueryEscape(room) }}
}

// dial connects clients, which the test's end closes.
func dial(t testing.TB, o Options) *Clients {
	t.Helper()
	c, err := Dial(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestEachMessageIsCountedOnceAtEachMember(t *testing.T) {
	s := serve(t)
	c := dial(t, options(s, 10, 3))
	if got, want := c.Len(), 10; got != want {
		t.Errorf("%d connections, want %d", got, want)
	}
	r, err := c.Run(t.Context(), Traffic{Rate: 300, Size: 200, Warm: 50 * time.Millisecond, Duration: 200 * time.Millisecond,
		Publish: func(room string, payload []byte) error { return s.send(room, -1, frame(opText, payload)) },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
	if r.Published != 60 || r.Expected != 200 || r.Delivered != 200 || r.Lost != 0 || r.Duplicated != 0 || r.OutOfOrder != 0 || r.Closed != 0 {
		t.Errorf("got %+v, want 60 published, 200 delivered, and nothing else", *r)
	}
	if r.Latency.Max <= 0 || r.Latency.Max > time.Second {
		t.Errorf("latencies %+v", r.Latency)
	}
}
