package pubsub

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/roomgate/roomgate/internal/redistest"
)

func TestThePauseBetweenLooksDoublesWhileTheyAreOfNoUse(t *testing.T) {
	var p pace
	var got []time.Duration
	for range 7 {
		p.looked(false, false, true)
		got = append(got, p.pause/time.Millisecond)
	}
	if want := []time.Duration{100, 200, 400, 800, 1600, 2000, 2000}; !slices.Equal(got, want) {
		t.Errorf("pauses in milliseconds %d, want %d", got, want)
	}
	for _, look := range []struct {
		agreed, news, hinted bool
		want                 time.Duration // in milliseconds, after 400
	}{
		{true, true, true, 100}, {true, true, false, 100}, {true, false, false, 100},
		{true, false, true, 800}, {false, false, false, 800},
		{false, true, true, 400}, {false, true, false, 400}, // slots that move: not all nodes know it yet
	} {
		p.pause = 400 * time.Millisecond
		p.looked(look.agreed, look.news, look.hinted)
		if got := p.pause / time.Millisecond; got != look.want {
			t.Errorf("after %+v a pause of %d ms", look, got)
		}
	}
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := jitter(time.Second)
		least, most = min(least, d), max(most, d)
	}
	if least < time.Second/2 || least > 600*time.Millisecond || most > time.Second || most < 900*time.Millisecond {
		t.Errorf("a second with jitter is %v to %v, want half of it to all", least, most)
	}
}

// connected is how many connections Redis has ever accepted.
func connected(t testing.TB, c *redis.Client) int {
	t.Helper()
	text, err := c.Info(context.Background(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(regexp.MustCompile(`total_connections_received:(\d+)`).FindStringSubmatch(text)[1])
	return n
}

// Each MOVED and each link that ends is a hint.
func TestAFloodOfHintsBringsFewLooksAndNoConnections(t *testing.T) {
	c := redistest.StartCluster(t, 3, 0)
	o := shardedOptions(c)
	o.CanaryInterval, o.CanaryTimeout = calm/2, calm // so that no canary takes a new connection meanwhile
	b, _ := run(t, o)
	ready(t, b)
	var asked []*redis.Client
	for _, s := range c.Nodes() {
		asked = append(asked, s.Client())
	}
	counts := func() (looks, connections int) {
		for _, client := range asked {
			looks += calls(t, client, `cluster\|slots`)
			connections += connected(t, client)
		}
		return looks / len(asked), connections
	}
	eventually(t, "a connection to each node", func() bool {
		for _, s := range c.Nodes() {
			if client, err := b.shards.survey.clients.at(s.Addr()); err != nil || client.PoolStats().TotalConns == 0 {
				return false
			}
		}
		return true
	})
	looks, connections := counts()
	const flood = 4 * time.Second
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(flood); time.Now().Before(end); <-tick.C {
		b.shards.hint()
	}
	after, more := counts()
	// With pauses of at most 100, 200, 400, 800, 1600 and 2000 ms and jitter; ten a second would be 40.
	if got := after - looks; got < 2 || got > 12 {
		t.Errorf("%d looks in %v, want some, and few", got, flood)
	}
	if more != connections {
		t.Errorf("%d connections were made for them, want none", more-connections)
	}
}

func TestConnectionsForLooksEndWithTheirNodes(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	o := shardedOptions(c)
	b, _ := run(t, o)
	ready(t, b)
	added, to := c.AddNode(), c.Masters()[0]
	slots := []int{0, 1, 2}
	c.MoveSlots(to, added, slots...)
	has := func() bool {
		s := b.shards.survey.clients
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.byAddr[added.Addr()] != nil
	}
	eventually(t, "a connection to the new node", func() bool { b.shards.hint(); return has() })
	c.MoveSlots(added, to, slots...)
	eventually(t, "its end", func() bool { return !has() })
}

// len is how many nodes have a client.
func (c *clients) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.byAddr)
}

// go-redis would dial it again each second.
func TestANodeThatCannotBeReachedKeepsNoClient(t *testing.T) {
	s := redistest.Start(t)
	a, err := newAccess(fastAt("redis+cluster://" + s.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	survey := newSurvey(a)
	defer survey.close()
	clients := survey.clients.len
	if _, _, err := survey.look(t.Context()); err == nil || clients() != 1 { // it is no Cluster, and answers
		t.Errorf("look = %v with %d clients, want an error and one", err, clients())
	}
	s.Kill()
	if _, _, err := survey.look(t.Context()); err == nil || clients() != 0 {
		t.Errorf("look at a dead node = %v with %d clients, want an error and none", err, clients())
	}
}

// Its name may mean another server by now.
func TestANodeWhoseLinkEndedIsAskedOverANewConnection(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	a, err := newAccess(fastAt("redis+cluster://" + c.Nodes()[0].Addr()))
	if err != nil {
		t.Fatal(err)
	}
	p := newCluster(a)
	defer p.close()
	if _, err := p.pick(t.Context()); err != nil { // this asks the one in the URL, and the next look all
		t.Fatal(err)
	}
	if _, _, err := p.survey.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a client for each node", func() bool { return p.survey.clients.len() == 3 })
	p.chosen = c.Nodes()[1].Addr()
	p.failed(server{addr: p.chosen})
	client, err := p.survey.clients.at(c.Nodes()[1].Addr())
	if err != nil || client.PoolStats().TotalConns != 0 {
		t.Errorf("the connection to the node is kept: %+v, %v", client.PoolStats(), err)
	}
	if p.survey.clients.len() != 2 { // the one in the URL went, too; it may lead to the same
		t.Errorf("%d connections, want that to the third and a new one", p.survey.clients.len())
	}
}

// Who looks while others do is not told that a node is busy with them.
func TestManyMayLookAtATime(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, 3, 0)
	a, err := newAccess(fastAt(c.URL()))
	if err != nil {
		t.Fatal(err)
	}
	s := newSurvey(a)
	defer s.close()
	results := make(chan error, 100)
	for range cap(results) {
		go func() { // ends with its answer
			_, _, err := s.look(context.Background())
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
