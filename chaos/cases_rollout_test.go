//go:build linux

package chaos

import (
	"testing"
	"time"
)

// A rollout as a Deployment does it with maxSurge 1 and maxUnavailable 0: a new replica starts, and once it
// is ready an old one gets SIGTERM; the next follows at once, while that one still drains. Nginx is in front, with
// the configuration of docs/examples, and hears of both as it does from a controller: by a reload, and of the
// end only a while after the replica itself. In the full form the drain is that of the settings' defaults.
func TestChaosRollout(t *testing.T) {
	parallel(t)
	clients, period := pick(300, 3000), pick(10*time.Second, 30*time.Second)
	needFiles(t, clients)
	s := setup{name: "rollout of 3 replicas behind nginx", clients: clients, rooms: pick(30, 300), rate: pick(5, 1), mayEnd: []int{codeDraining},
		env: []string{"ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1"}}
	if !full() {
		s.env = append(s.env, "ROOMGATE_DRAIN_DELAY=1s", "ROOMGATE_DRAIN_PERIOD="+period.String())
	}
	round := startNginx(t)
	s.front = round
	w := startGateways(t, s, 3)
	old := w.replicas
	w.strike(func() {
		for _, r := range old {
			w.addReplica()
			r.drain()
			lasts(pick(100*time.Millisecond, time.Second)) // until the endpoints are known everywhere
			round.remove(r)
			progress(t, "%s drains, and is out of the round", r.name)
		}
		for _, r := range old {
			r.awaitDrained()
		}
	})
	w.finish()
	c := w.returns.curve()
	second, most := c.steepest()
	even := clients / int(period/time.Second)
	t.Logf("connections that were made again, by the second since the first replica was replaced:\n%s", c)
	t.Logf("%d in all; the steepest second is %d, with %d; %d clients over %v are %d a second", c.total(), second, most, clients, period, even)
	if got, want := c.within(reconnectMost), even*int(reconnectMost/time.Second)*3/2; got > want { // without drain.period it would be all
		t.Errorf("%d clients came back within %v, want %d at most", got, reconnectMost, want)
	}
	for i, c := range w.clients {
		if c.ends[codeDraining] == 0 {
			t.Errorf("client %d was never drained, and every replica was replaced", i)
		}
		if len(c.refused) > 0 {
			t.Errorf("client %d was refused, by status: %v, and there were always three replicas", i, c.refused)
		}
	}
}
