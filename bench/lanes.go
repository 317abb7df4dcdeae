//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A laneRule is roomgate with another answer to who runs a lane: up to how many members of a room whoever
// posts a message delivers it, rather than the lane's goroutine.
type laneRule struct {
	roomgate
	label string // known once it is prepared
	small int    // members; -1: as it is
}

// laneRules are both ends, and what stands between them. A room that a message comes for has a member at
// least, so up to 0 is never, and so is eight times that.
func laneRules() []peer {
	return []peer{
		&laneRule{label: "whoever posts, always", small: 1 << 30},
		&laneRule{small: -1},
		&laneRule{label: "the lane's goroutine, always", small: 0},
	}
}

// theRule is the place of roomgate as it is among them.
const theRule = 1

func (p *laneRule) name() string  { return p.label }
func (p *laneRule) title() string { return p.label }

// The constant that the rules differ in, and its file, seen from this module's folder.
const (
	laneFile = "../gateway/mailbox.go"
	laneRow  = "const smallRoom = "
)

// prepare builds roomgate with the constant changed. The tree stays as it is: the compiler is told to read
// another file in the place of the one there (go help build, -overlay).
func (p *laneRule) prepare(ctx context.Context, r *rig) error {
	before, small, after, err := laneSource()
	if err != nil {
		return err
	}
	if p.small < 0 {
		p.label = fmt.Sprintf("roomgate: whoever posts, up to %s members, and to 8 times that while it has time", small)
		return p.roomgate.prepare(ctx, r)
	}
	name := "roomgate-" + strconv.Itoa(p.small)
	changed := fmt.Appendf(nil, "%s%s%d\n%s", before, laneRow, p.small, after)
	list, err := overlay(filepath.Join(r.dir, name), changed)
	if err != nil {
		return err
	}
	p.program, err = r.buildAs(ctx, name, "..", "./cmd/roomgate", "-overlay", list)
	return err
}

// laneSource cuts laneFile around the constant's value.
func laneSource() (before, small, after []byte, err error) {
	text, err := os.ReadFile(laneFile)
	if err != nil {
		return nil, nil, nil, err
	}
	before, rest, found := bytes.Cut(text, []byte(laneRow))
	small, after, ends := bytes.Cut(rest, []byte("\n"))
	if !found || !ends {
		return nil, nil, nil, fmt.Errorf("%s lacks the line %q", laneFile, laneRow)
	}
	return before, small, after, nil
}

// overlay writes the changed file and the list for the compiler, beside each other, and returns the list's path.
func overlay(prefix string, changed []byte) (string, error) {
	if err := os.WriteFile(prefix+".go", changed, 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(laneFile)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {original: prefix + ".go"}})
	if err != nil {
		return "", err
	}
	return prefix + ".json", os.WriteFile(prefix+".json", b, 0o600)
}

// laneStages have rooms from one member to a thousand.
var laneStages = []stage{
	{5000, 5000, []scenario{{"1", "5,000 rooms of 1 member, 5,000 messages/s", 5000, 128, false}}, 2 * time.Second, 0},
	{4000, 1000, []scenario{{"4", "1,000 rooms of 4 members, 2,500 messages/s", 2500, 128, false}}, 2 * time.Second, 0},
	{10_000, 1000, []scenario{{"10", "1,000 rooms of 10 members, 2,000 messages/s", 2000, 128, false}}, 3 * time.Second, 0},
	{10_000, 100, []scenario{{"100", "100 rooms of 100 members, 200 messages/s", 200, 128, false}}, 3 * time.Second, 0},
	{1000, 1, []scenario{{"1000", "1 room of 1,000 members, 50 messages/s", 50, 128, false}}, time.Second, 0},
}

func lanesVerb(ctx context.Context, flags *flag.FlagSet, args []string) error {
	rounds := flags.Int("rounds", 3, "how often each rate is measured; the table has medians")
	duration := flags.Duration("duration", 3*time.Second, "of one measurement")
	writes(flags, lanesFile)
	if err := parse(flags, args); err != nil {
		return err
	}
	r, err := newRig(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	rules := laneRules()
	if err := prepare(ctx, r, rules...); err != nil {
		return err
	}
	got := newComparison(rules, *rounds, *duration)
	want := []string{fanoutMax}
	for _, st := range laneStages {
		want = append(want, st.scenarios[0].Name)
	}
	c := &comparing{rig: r, peers: rules, rounds: *rounds, duration: *duration, stages: laneStages, want: want, into: got}
	if err := c.compare(ctx); err != nil {
		return err
	}
	fmt.Println(got.lanes())
	return keep(flags, lanesFile, got)
}

// lanes is the table of the rules: what each costs in multiples of what roomgate as it is cost in the same round.
func (c *comparison) lanes() string {
	t := markdown{}
	t.row(append([]string{"CPU of a delivery (p99)"}, c.Peers...)...)
	for _, st := range laneStages {
		sc := st.scenarios[0]
		cells := []string{sc.about}
		for i, p := range c.Peers {
			rounds := c.Rates[sc.Name][p]
			cost := fmt.Sprintf("%.2f µs", median(servers(rounds)))
			if i != theRule {
				cost = spread(ratios(servers(rounds), servers(c.Rates[sc.Name][c.Peers[theRule]])))
			}
			cells = append(cells, fmt.Sprintf("%s (%.1f ms)%s", cost, median(each(rounds, func(m measurement) float64 { return m.P99 })), flaws(rounds)))
		}
		t.row(cells...)
	}
	cells := []string{"most messages/s to 1,000 members, one search"}
	for _, p := range c.Peers {
		cells = append(cells, count(c.Ceilings[p].Rate)+"/s")
	}
	t.row(cells...)
	return t.String() + c.retried()
}
