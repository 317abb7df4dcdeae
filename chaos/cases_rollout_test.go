//go:build linux

package chaos

import (
	"testing"
	"time"
)

// A rollout is how a Deployment with maxSurge 1 and maxUnavailable 0 replaces three replicas.
type rollout struct {
	name       string
	minReady   time.Duration // minReadySeconds: how long a new replica is ready before the next old one goes
	atOnce     float64       // share of all clients that drain at the same time, at most
	delay      time.Duration // drain.delay
	period     time.Duration // drain.period
	propagated time.Duration // from SIGTERM until nginx has heard that the replica is going
}

// drains are the settings' defaults in the full form, which are those of the chart.
func (r rollout) drains() rollout {
	r.delay, r.period = pick(time.Second, 5*time.Second), pick(10*time.Second, 30*time.Second)
	r.propagated = pick(100*time.Millisecond, time.Second)
	return r
}

// As the chart has it: minReadySeconds are the time of a drain, so that one replica drains after another. Of
// those drained some come to a replica that is old itself, so that the last has more than its third.
func TestChaosRollout(t *testing.T) {
	r := rollout{name: "rollout of 3 replicas behind nginx", atOnce: 0.5}.drains()
	r.minReady = r.delay + r.period
	r.run(t)
}

// Without minReadySeconds: each new replica is ready in no time, and so all three old ones drain at the same time.
func TestChaosRolloutAtOnce(t *testing.T) {
	rollout{name: "rollout of 3 replicas behind nginx, all at once", atOnce: 1}.drains().run(t)
}

// run replaces the replicas under clients. Nginx is in front, with the configuration of docs/examples, and hears of
// replicas as it does from a controller: by a reload, and of the end only a while after the replica itself.
func (r rollout) run(t *testing.T) {
	parallel(t)
	clients := pick(300, 3000)
	needFiles(t, clients)
	round := startNginx(t)
	w := startGateways(t, setup{name: r.name, clients: clients, rooms: pick(30, 300), rate: pick(5, 1), mayEnd: []int{codeDraining}, front: round,
		within: 20 * time.Second, // the last that drain come back after up to 5 s
		env:    []string{"ROOMGATE_HTTP_TRUSTED_PROXIES=127.0.0.1", "ROOMGATE_DRAIN_DELAY=" + r.delay.String(), "ROOMGATE_DRAIN_PERIOD=" + r.period.String()}}, 3)
	old := w.replicas
	w.addReplica() // the surge, which changes nothing for anybody
	w.strike(func() {
		for i, each := range old {
			each.drain()
			lasts(r.propagated)
			round.remove(each)
			progress(t, "%s drains, and is out of the round", each.name)
			if i < len(old)-1 {
				w.addReplica()
				lasts(r.minReady)
			}
		}
		for _, each := range old {
			each.awaitDrained()
		}
	})
	w.finish()
	r.judge(t, w)
}

// judge tells who came back when. A herd would be all that drain at the same time, within the 5 s of bye's after.
func (r rollout) judge(t *testing.T, w *world) {
	t.Helper()
	c := w.returns.curve()
	second, most := c.steepest()
	t.Logf("connections that were made again, by the second since the first SIGTERM:\n%s", c)
	t.Logf("%d in all, of %d clients; the steepest second is %d, with %d", c.total(), len(w.clients), second, most)
	even := r.atOnce * float64(len(w.clients)) * reconnectMost.Seconds() / r.period.Seconds()
	if got := c.within(reconnectMost); float64(got) > 1.5*even {
		t.Errorf("%d clients came back within %v, want %.0f and half as many again at most", got, reconnectMost, even)
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
