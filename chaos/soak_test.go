//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	settleTime    = 15 * time.Second // before what is used of memory counts
	sampleEvery   = 3 * time.Second
	growth        = 0.15 // of the first quarter's median, which the last one's may be more
	slackRoutines = 10   // goroutines more that are no growth: what is under way just then
	slackMemory   = 4096 // KiB
	pauseLeast    = 2 * time.Second
	pauseMost     = 6 * time.Second // between two faults
	faultMost     = 4               // seconds that a fault lasts, at most
)

// soakTime is how long the soak lasts: CHAOS_SOAK, else 2 minutes, or 15 in the full form.
func soakTime(t *testing.T) time.Duration {
	s := os.Getenv("CHAOS_SOAK")
	if s == "" {
		return pick(2*time.Minute, 15*time.Minute)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("CHAOS_SOAK: %v", err)
	}
	return d
}

// soakSeed is what chance begins with: CHAOS_SEED, else another each time.
func soakSeed(t *testing.T) uint64 {
	s := os.Getenv("CHAOS_SEED")
	if s == "" {
		return rand.Uint64N(1e9) + 1
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil || seed == 0 {
		t.Fatalf("CHAOS_SEED is %q, want a number from 1", s)
	}
	return seed
}

// Clients come and go, and Redis breaks in ways that chance chooses, for a long time. The invariants
// hold all along, and nothing grows.
func TestChaosSoak(t *testing.T) {
	d, seed := soakTime(t), soakSeed(t)
	t.Logf("CHAOS_SEED=%d CHAOS_SOAK=%v", seed, d)
	w := startLoneAs(t, setup{name: fmt.Sprintf("soak of %v", d), churn: seed, mayEnd: []int{codeRedis}, env: []string{"ROOMGATE_LIMITS_MESSAGES_PER_MINUTE=0"}})
	var samples []sample
	w.strike(func() {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		sampled := make(chan []sample)
		go func() { sampled <- w.sampleAll(ctx) }() // ends with ctx, and is waited for
		w.breakThings(ctx, rand.New(rand.NewPCG(seed, 0)))
		<-ctx.Done()
		samples = <-sampled
	})
	w.finish()
	for i, r := range w.replicas {
		flat(t, r.name, "goroutines", samples, slackRoutines, func(s sample) int { return s.routines[i] })
		flat(t, r.name, "KiB resident", samples, slackMemory, func(s sample) int { return s.rss[i] })
	}
}

// breakThings does one thing after another until ctx ends.
func (w *lone) breakThings(ctx context.Context, chance *rand.Rand) {
	client := w.redis.Client()
	faults := []struct {
		name string
		what func(d time.Duration)
	}{
		{"CLIENT KILL TYPE pubsub", func(time.Duration) { w.killSubscribers(client) }},
		{"resets", func(d time.Duration) { w.poisonFor(d, "reset_peer", `"timeout":200`) }},
		{"latency", func(d time.Duration) { w.poisonFor(d, "latency", `"latency":400,"jitter":200`) }},
		{"blackhole", func(d time.Duration) { w.poisonFor(d, "timeout", `"timeout":0`) }},
		{"SIGSTOP", w.stopFor},
		{"SIGKILL", func(d time.Duration) { w.redis.Kill(); lasts(d / 4); w.redis.Restart() }},
	}
	for {
		pause := pauseLeast + time.Duration(chance.Int64N(int64(pauseMost-pauseLeast)))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		fault, d := faults[chance.IntN(len(faults))], time.Duration(1+chance.IntN(faultMost))*time.Second
		progress(w.t, "%s, %v; %d messages published", fault.name, d, w.ledger.published())
		fault.what(d)
	}
}

func (w *lone) poisonFor(d time.Duration, kind, attributes string) {
	w.proxy.poison(kind, attributes)
	lasts(d)
	w.proxy.heal()
}

func (w *lone) killSubscribers(client *redis.Client) {
	if err := client.ClientKillByFilter(context.Background(), "TYPE", "pubsub").Err(); err != nil {
		w.t.Errorf("CLIENT KILL: %v", err)
	}
}

// A sample is what each replica used at one time, after its garbage was collected.
type sample struct {
	routines, rss []int
}

// sampleAll checks the invariants of all replicas, and takes samples, until ctx ends.
func (w *lone) sampleAll(ctx context.Context) (all []sample) {
	began := time.Now()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return all
		case <-tick.C:
		}
		var s sample
		for _, r := range w.replicas {
			if status, body := r.get("/debug/check"); status != http.StatusOK {
				w.t.Errorf("%v into the soak /debug/check of %s is %d: %s", time.Since(began).Round(time.Second), r.name, status, body)
			}
			if status, body := r.get("/debug/pprof/heap?gc=1"); status != http.StatusOK {
				w.t.Errorf("/debug/pprof/heap of %s is %d: %s", r.name, status, body[:min(len(body), 200)])
			}
			s.routines = append(s.routines, int(r.metric("go_goroutines", "")))
			s.rss = append(s.rss, r.rss())
		}
		if time.Since(began) > settleTime {
			all = append(all, s)
		}
	}
}

// flat expects the median of the last quarter of the samples to be at most that of the first, and a bit.
func flat(t *testing.T, name, what string, samples []sample, slack int, of func(sample) int) {
	t.Helper()
	quarter := len(samples) / 4
	if quarter == 0 {
		t.Errorf("%d samples are too few to tell whether anything grows: the soak is too short", len(samples))
		return
	}
	first, last := median(samples[:quarter], of), median(samples[len(samples)-quarter:], of)
	t.Logf("%s: %d %s in the first quarter, %d in the last", name, first, what, last)
	if most := first + int(growth*float64(first)) + slack; last > most {
		t.Errorf("%s: %d %s in the last quarter, want %d at most, after %d in the first", name, last, what, most, first)
	}
}

func median(samples []sample, of func(sample) int) int {
	var values []int
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
