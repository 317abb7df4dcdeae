//go:build linux

package chaos

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"
)

// How long faults of the soak last, in seconds at most, and from when on the gateways have to notice one
// that is silent: the longest are longer than redis.canary_timeout.
const (
	faultMost = 10
	noticed   = 9 * time.Second
)

// A soak is a lone world in which one thing breaks after another.
type soak struct {
	*lone
	gaps int // that what broke explains, for one room
	held int // connections that replicas had when they were killed
}

// breakThings does one thing after another until ctx ends.
func (k *soak) breakThings(ctx context.Context, chance *rand.Rand) {
	client := k.redis.Client()
	faults := []struct {
		name string
		gaps int // that a client may have of it, for one room; resets: for each second
		what func(d time.Duration)
	}{
		{"CLIENT KILL TYPE pubsub", 1, func(time.Duration) { k.killSubscribers(client); k.proven(0, linkClosed) }},
		{"resets", 3, func(d time.Duration) {
			k.flapper.flap(500 * time.Millisecond)
			lasts(d)
			k.proven(0, linkClosed)
			k.flapper.flap(0)
		}},
		{"latency", 2, func(d time.Duration) { k.poisonFor(d, "latency", `"latency":400,"jitter":200`) }},
		{"blackhole", 2, func(d time.Duration) { k.poisonFor(d, "timeout", `"timeout":0`) }},
		{"SIGSTOP", 2, func(d time.Duration) { k.stopFor(d, func() { k.proven(d, linkCanary) }) }},
		{"SIGKILL", 2, func(d time.Duration) { k.redis.Kill(); lasts(d / 4); k.proven(0, linkClosed); k.redis.Restart() }},
		{"SIGTERM of a replica", 0, func(time.Duration) { k.replace((*replica).terminate) }},
		{"SIGKILL of a replica", 0, func(time.Duration) { k.replace(k.killHolder) }},
		{"SIGSTOP of a replica", 2, k.starve},
	}
	for {
		pause := pauseLeast + time.Duration(chance.Int64N(int64(pauseMost-pauseLeast)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		fault, d := faults[chance.IntN(len(faults))], time.Duration(1+chance.IntN(faultMost))*time.Second
		marks := k.marks()
		k.awaitOr("every link is back before the next fault", func() bool { return k.behind(marks, false) == 0 })
		k.before = k.counts()
		progress(k.t, "%s, %v; %d messages published", fault.name, d, k.ledger.published())
		fault.what(d)
		if fault.name == "resets" {
			fault.gaps *= int(d / time.Second)
		}
		k.gaps += fault.gaps
	}
}

// proven waits until the fault has ended the link of each replica, if it lasted long enough for that.
func (k *soak) proven(d time.Duration, reason string) {
	if d == 0 || d >= noticed {
		k.awaitLinksEnd(1, reason)
	}
}

func (k *soak) poisonFor(d time.Duration, kind, attributes string) {
	k.proxy.poison(kind, attributes)
	lasts(d)
	if kind == "timeout" {
		k.proven(d, linkCanary)
	}
	k.proxy.heal()
}

// last is the replica that was started last, which is the one to be replaced.
func (k *soak) last() *replica { return k.replicas[len(k.replicas)-1] }

// replace ends the last replica, once nobody there has to be told of anything, and starts another.
func (k *soak) replace(end func(*replica)) {
	k.awaitMore(1)
	k.awaitAnnounced()
	end(k.last())
	k.addReplica()
}

func (k *soak) killHolder(r *replica) {
	k.held += int(r.metric("roomgate_connections", ""))
	r.kill()
}

// starve gives the last replica no CPU for a time.
func (k *soak) starve(d time.Duration) {
	k.awaitMore(1)
	r := k.last()
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		k.t.Errorf("stopping %s: %v", r.name, err)
	}
	lasts(d)
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		k.t.Errorf("continuing %s: %v", r.name, err)
	}
}

// wantNoMoreBroken expects no more connections to have broken than the replicas had that were killed.
func (k *soak) wantNoMoreBroken() {
	broken := 0
	for _, c := range k.clients {
		broken += c.ends[codeNone]
	}
	const underWay = 5 // let in between the count and the kill
	if broken > k.held+underWay {
		k.t.Errorf("%d connections broke, and the replicas that were killed had %d", broken, k.held)
	}
}
