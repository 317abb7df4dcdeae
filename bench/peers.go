//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/roomgate/roomgate/internal/load"
)

// comparison are the results of peers: one file, one table.
type comparison struct {
	Machine  machine                             `json:"machine"`
	Command  string                              `json:"command"`
	Rounds   int                                 `json:"rounds"`
	Duration float64                             `json:"duration_secs"`
	Peers    []string                            `json:"peers"`    // in the order of the columns
	Rates    map[string]map[string][]measurement `json:"rates"`    // by scenario and peer, one a round
	Ceilings map[string]ceiling                  `json:"ceilings"` // by peer
	Idle     map[string][]rest                   `json:"idle"`     // by peer, one a round; CPU in the first alone
	Retries  []retry                             `json:"retries"`
}

func newComparison(peers []peer, rounds int, duration time.Duration) *comparison {
	c := &comparison{
		Machine: thisMachine(), Command: command(), Rounds: rounds, Duration: duration.Seconds(),
		Rates: map[string]map[string][]measurement{}, Ceilings: map[string]ceiling{}, Idle: map[string][]rest{},
	}
	for _, p := range peers {
		c.Peers = append(c.Peers, p.name())
	}
	return c
}

// A retry is a step that failed, and was then done once more.
type retry struct {
	Step string `json:"step"`
	Why  string `json:"why"`
}

// A comparing is a run of the verb peers.
type comparing struct {
	rig      *rig
	peers    []peer
	rounds   int
	duration time.Duration // of one measurement
	stages   []stage
	want     []string // scenarios; none: all
	calm     calm
	plan     *plan
	into     *comparison
}

// compare measures all that is wanted: rates, memory and connecting in rounds, so that what changes on the machine
// meanwhile meets all peers alike, and then the ceilings, once. The CPU of idle connections is measured once as well,
// in the first round: it takes a minute of each peer.
func (c *comparing) compare(ctx context.Context) error {
	c.plan = &plan{began: time.Now(), total: c.estimate()}
	for round := range c.rounds {
		for _, st := range c.stages {
			for i := range c.peers {
				p := c.peers[(i+round)%len(c.peers)] // nobody is always the first
				if err := c.step(ctx, p, st.scenarios[0].Name, func() error { return c.stage(ctx, st, p, round) }); err != nil {
					return err
				}
			}
		}
		for i := range c.peers {
			p := c.peers[(i+round)%len(c.peers)]
			if err := c.step(ctx, p, idle, func() error { return c.rest(ctx, p, round) }); err != nil {
				return err
			}
		}
	}
	for _, p := range c.peers {
		if err := c.step(ctx, p, fanoutMax, func() error { return c.ceiling(ctx, p) }); err != nil {
			return err
		}
	}
	return nil
}

// step does a step of a long measurement, and once more if it fails, which the results tell: a peer that does not
// come up or loses a client once shall not cost all that was measured before.
func (c *comparing) step(ctx context.Context, p peer, what string, do func() error) error {
	err := do()
	if err == nil || ctx.Err() != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "once more, since it failed: %v\n", err)
	c.into.Retries = append(c.into.Retries, retry{what + ", " + p.name(), err.Error()})
	return do()
}

func (c *comparing) wants(name string) bool { return len(c.want) == 0 || slices.Contains(c.want, name) }

// stage measures one peer in those of a stage's scenarios that are wanted.
func (c *comparing) stage(ctx context.Context, st stage, p peer, round int) error {
	wanted := slices.DeleteFunc(slices.Clone(st.scenarios), func(s scenario) bool { return !c.wants(s.Name) })
	if len(wanted) == 0 {
		return nil
	}
	return with(ctx, c.rig, ticking{p, st.tick}, st.connections, st.rooms, func(s *subject, clients *load.Clients) error {
		for _, sc := range wanted {
			got, err := s.measure(ctx, c.rig, clients, flow{rate: sc.rate, size: sc.size, duration: c.duration})
			if err != nil {
				return fmt.Errorf("%s: %w", sc.Name, err)
			}
			c.into.took(sc.Name, p.name(), round, got)
			c.plan.step(c.each(st, len(wanted)), "round %d of %d, %s, %s: %.2f µs a delivery, p99 %.1f ms%s",
				round+1, c.rounds, sc.Name, p.name(), got.Server, got.P99, got.trouble())
		}
		return nil
	})
}

// took keeps what a round measured, in the place of what an earlier attempt at it did.
func (c *comparison) took(scenario, peer string, round int, got measurement) {
	of := c.Rates[scenario]
	if of == nil {
		of = map[string][]measurement{}
		c.Rates[scenario] = of
	}
	of[peer] = append(of[peer][:min(round, len(of[peer]))], got)
}

func (c *comparing) ceiling(ctx context.Context, p peer) error {
	if !c.wants(fanoutMax) {
		return nil
	}
	got, err := search(ctx, c.rig, p, func(t try) {
		c.plan.step(tryTime, "%s, %s: %.0f messages/s %s", fanoutMax, p.name(), t.Rate, verdict(t))
	})
	if err != nil {
		return fmt.Errorf("%s: %w", fanoutMax, err)
	}
	c.plan.total += tryTime * time.Duration(len(got.Tries)-tries) // of the estimate
	c.into.Ceilings[p.name()] = got
	return nil
}

func verdict(t try) string {
	if t.Why == "" {
		return fmt.Sprintf("sustained, p99 %.1f ms", t.Got.P99)
	}
	return "failed: " + t.Why
}

func (c *comparing) rest(ctx context.Context, p peer, round int) error {
	if !c.wants(idle) {
		return nil
	}
	what := c.calm
	if round > 0 {
		what.cpu = 0
	}
	got, err := what.measure(ctx, c.rig, p)
	if err != nil {
		return fmt.Errorf("%s: %w", idle, err)
	}
	c.into.Idle[p.name()] = append(c.into.Idle[p.name()], got)
	c.plan.step(what.time(), "round %d of %d, %s, %s: %s", round+1, c.rounds, idle, p.name(), got)
	return nil
}

func (r rest) String() string {
	text := fmt.Sprintf("%.1f µs to connect, %.1f KB each (PSS) at %d connections", r.Connect, r.PSS, r.Connections)
	if r.CPUConnections > 0 {
		text += fmt.Sprintf(", %.2f %% of a core at %d over %.0f s, in which each answered %.2f pings", r.CPU, r.CPUConnections, r.CPUSeconds, r.Pings)
	}
	return text
}

// Estimates of times, for what is left.
const (
	tries   = 12 // of a search
	tryTime = maxStep + warm + 250*time.Millisecond
)

// each is the time of one of n scenarios of a stage.
func (c *comparing) each(st stage, n int) time.Duration {
	return c.duration + warm + 200*time.Millisecond + st.connect/time.Duration(n)
}

func (c calm) time() time.Duration {
	if c.cpu == 0 {
		return c.settle + 5*time.Second
	}
	return c.settle + c.period + 12*time.Second
}

func (c *comparing) estimate() (sum time.Duration) {
	for _, st := range c.stages {
		wanted := 0
		for _, sc := range st.scenarios {
			if c.wants(sc.Name) {
				wanted++
			}
		}
		if wanted > 0 {
			sum += time.Duration(wanted*c.rounds) * c.each(st, wanted)
		}
	}
	if c.wants(fanoutMax) {
		sum += tries * tryTime
	}
	if c.wants(idle) {
		sum += c.calm.time() + time.Duration(c.rounds-1)*calm{memory: c.calm.memory, settle: c.calm.settle}.time()
	}
	return sum * time.Duration(len(c.peers))
}
