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
)

const (
	settleTime    = 15 * time.Second // before what is used of memory counts
	sampleEvery   = 3 * time.Second
	growth        = 0.15 // of the first quarter's median, which the last one's may be more
	slackRoutines = 10   // goroutines more that are no growth: what is under way just then
	slackMemory   = 4096 // KiB
	pauseLeast    = 2 * time.Second
	pauseMost     = 6 * time.Second // between two faults
)

// soakTime is how long the soak lasts: CHAOS_SOAK, else 90 s, or 15 minutes in the full form.
func soakTime(t *testing.T) time.Duration {
	s := os.Getenv("CHAOS_SOAK")
	if s == "" {
		return pick(90*time.Second, 15*time.Minute)
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

// Clients come and go, and Redis and a replica break in ways that chance chooses, for a long time. The
// invariants hold all along, and nothing grows in the two replicas that stay.
func TestChaosSoak(t *testing.T) {
	d, seed := soakTime(t), soakSeed(t)
	t.Logf("CHAOS_SEED=%d CHAOS_SOAK=%v", seed, d)
	k := &soak{lone: startLone(t, setup{name: fmt.Sprintf("soak of %v", d), churn: seed, gaps: 1, within: 45 * time.Second, backIn: 90 * time.Second, mayEnd: []int{codeDraining, codeNone},
		env: []string{"ROOMGATE_LIMITS_MESSAGES_PER_MINUTE=0", "ROOMGATE_DRAIN_DELAY=500ms", "ROOMGATE_DRAIN_PERIOD=2s"}})}
	stay := slices.Clone(k.replicas)
	k.addReplica()
	var samples []sample
	k.strike(func() {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		sampled := make(chan []sample)
		go func() { sampled <- k.sampleAll(ctx, stay) }() // ends with ctx, and is waited for
		k.breakThings(ctx, rand.New(rand.NewPCG(seed, 0)))
		<-ctx.Done()
		samples = <-sampled
	})
	k.s.gaps = k.gaps
	k.finish()
	k.wantNoMoreBroken()
	for i, r := range stay {
		flat(t, r.name, "goroutines", samples, slackRoutines, func(s sample) int { return s.routines[i] })
		flat(t, r.name, "KiB resident", samples, slackMemory, func(s sample) int { return s.rss[i] })
	}
}

// A sample is what each replica used at one time, after its garbage was collected.
type sample struct {
	routines, rss []int
}

// sampleAll checks the invariants of replicas, and takes samples, until ctx ends.
func (w *world) sampleAll(ctx context.Context, replicas []*replica) (all []sample) {
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
		for _, r := range replicas {
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
