//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
)

// Rows that come of the scenario idle.
const (
	rowMemory  = "memory"
	rowIdle    = "idle-cpu"
	rowConnect = "connect"
)

// table has a row for each scenario and a column for each peer, with the goals beside ours.
func (c *comparison) table() string {
	t := markdown{}
	head := []string{"scenario"}
	for _, name := range c.Peers {
		head = append(head, titleOf(name))
		if name == "roomgate" {
			head = append(head, "goal")
		}
	}
	t.row(head...)
	row := func(key, label string, cell func(peer string) string) {
		cells := []string{label}
		for _, name := range c.Peers {
			cells = append(cells, cell(name))
			if name == "roomgate" {
				cells = append(cells, goals[key])
			}
		}
		t.row(cells...)
	}
	for _, st := range stages {
		for _, sc := range st.scenarios {
			if c.Rates[sc.Name] == nil {
				continue
			}
			row(sc.Name, label(sc.Name, sc.about), func(p string) string {
				if sc.tail {
					return tail(c.Rates[sc.Name][p])
				}
				return c.cost(sc.Name, p)
			})
		}
	}
	if len(c.Ceilings) > 0 {
		row(fanoutMax, label(fanoutMax, "most messages/s to 1,000 members, p99 below 100 ms, nothing lost"),
			func(p string) string { return count(c.Ceilings[p].Rate) + "/s" })
	}
	for _, r := range c.Idle {
		row(rowMemory, label(rowMemory, fmt.Sprintf("PSS of an idle connection with a room of its own, at %s", count(float64(r.Connections)))),
			func(p string) string { return fmt.Sprintf("%.1f KB", c.Idle[p].PSS) })
		row(rowIdle, label(rowIdle, fmt.Sprintf("CPU of %s idle connections, heartbeat %v, in %% of a core", count(float64(r.CPUConnections)), heartbeat)),
			func(p string) string {
				return fmt.Sprintf("%.2f %%", c.Idle[p].CPU) + c.times(p, func(r rest) float64 { return r.CPU })
			})
		row(rowConnect, label(rowConnect, "CPU of connecting: token verified, room subscribed"),
			func(p string) string {
				return fmt.Sprintf("%.0f µs", c.Idle[p].Connect) + c.times(p, func(r rest) float64 { return r.Connect })
			})
		break // it is the same of all
	}
	return t.String()
}

// times tells in brackets the multiple of the floor that a peer has of what connections cost; empty for the floor.
func (c *comparison) times(peer string, of func(rest) float64) string {
	floor := of(c.Idle["floor"])
	if peer == "floor" || floor == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.1f ×)", of(c.Idle[peer])/floor)
}

func label(name, about string) string { return "**" + name + "**: " + about }

func titleOf(name string) string {
	for _, p := range allPeers() {
		if p.name() == name {
			return p.title()
		}
	}
	return name
}

// cost is the CPU of a delivery: of the floor in µs, of others as the median of their multiples of it, round by round.
func (c *comparison) cost(scenario, peer string) string {
	ratios := c.ratios(scenario, peer)
	rounds := c.Rates[scenario][peer]
	if ratios == nil || peer == "floor" {
		return fmt.Sprintf("%.2f µs", median(servers(rounds))) + missing(rounds)
	}
	return fmt.Sprintf("%.2f ×", median(ratios)) + missing(rounds)
}

// ratios are the multiples of the floor in each round; nil: it was not measured.
func (c *comparison) ratios(scenario, peer string) (ratios []float64) {
	floor := c.Rates[scenario]["floor"]
	for i, m := range c.Rates[scenario][peer] {
		if i < len(floor) {
			ratios = append(ratios, m.Server/floor[i].Server)
		}
	}
	return ratios
}

// tail is the median of the p99, and what was missing in all rounds.
func tail(rounds []measurement) string {
	return fmt.Sprintf("p99 %.0f ms", median(each(rounds, func(m measurement) float64 { return m.P99 }))) + missing(rounds)
}

// missing tells what was lost; empty: nothing.
func missing(rounds []measurement) string {
	lost := int64(0)
	for _, m := range rounds {
		lost += m.Lost
	}
	if lost == 0 {
		return ""
	}
	return ", " + count(float64(lost)) + " lost"
}

func servers(rounds []measurement) []float64 {
	return each(rounds, func(m measurement) float64 { return m.Server })
}

func each(rounds []measurement, of func(measurement) float64) (values []float64) {
	for _, m := range rounds {
		values = append(values, of(m))
	}
	return values
}

// details has a row for each scenario and peer, with all that was measured.
func (c *comparison) details() string {
	t := markdown{}
	t.row("scenario", "peer", "server, µs", "least – most", "Redis, µs", "clients, µs", "p50, ms", "p99, ms", "lost", "late")
	for _, st := range stages {
		for _, sc := range st.scenarios {
			for _, p := range c.Peers {
				rounds := c.Rates[sc.Name][p]
				if len(rounds) == 0 {
					continue
				}
				of := func(f func(measurement) float64) float64 { return median(each(rounds, f)) }
				cpu := servers(rounds)
				var lost, late int64
				for _, m := range rounds {
					lost, late = lost+m.Lost, late+m.Late
				}
				t.row(sc.Name, titleOf(p), fmt.Sprintf("%.2f", median(cpu)), fmt.Sprintf("%.2f – %.2f", slices.Min(cpu), slices.Max(cpu)),
					fmt.Sprintf("%.2f", of(func(m measurement) float64 { return m.Redis })), fmt.Sprintf("%.2f", of(func(m measurement) float64 { return m.Client })),
					fmt.Sprintf("%.1f", of(func(m measurement) float64 { return m.P50 })), fmt.Sprintf("%.1f", of(func(m measurement) float64 { return m.P99 })),
					count(float64(lost)), count(float64(late)))
			}
		}
	}
	return "CPU is for each delivery, the median of the rounds; lost and late are of all rounds. Late is what the generator published more than a tick after its time.\n\n" + t.String()
}

// markdown is a table.
type markdown struct {
	b    strings.Builder
	rows int
}

func (t *markdown) row(cells ...string) {
	t.b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	if t.rows++; t.rows == 1 {
		t.b.WriteString("|" + strings.Repeat("---|", len(cells)) + "\n")
	}
}

func (t *markdown) String() string { return t.b.String() }

// count is a whole number with commas between the thousands.
func count(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
