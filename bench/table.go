//go:build linux

package main

import (
	"fmt"
	"slices"
)

// Rows that come of the scenario idle.
const (
	rowMemory  = "memory"
	rowIdle    = "idle-cpu"
	rowConnect = "connect"
)

// A tableRow is one thing that was measured, at each peer.
type tableRow struct {
	key, about string
	cell       func(peer string) string
}

// rows are those that were measured, in the order of the table.
func (c *comparison) rows() (rows []tableRow) {
	for _, st := range stages {
		for _, sc := range st.scenarios {
			switch {
			case c.Rates[sc.Name] == nil:
			case sc.tail:
				rows = append(rows, tableRow{sc.Name, sc.about, func(p string) string { return tail(c.Rates[sc.Name][p]) }})
			default:
				rows = append(rows, tableRow{sc.Name, sc.about, func(p string) string { return c.cost(sc.Name, p) }})
			}
		}
	}
	if len(c.Ceilings) > 0 {
		rows = append(rows, tableRow{fanoutMax, "most messages/s to 1,000 members, p99 below 100 ms, nothing lost; one search",
			func(p string) string { return count(c.Ceilings[p].Rate) + "/s" }})
	}
	one := c.oneRest()
	if one == nil {
		return rows
	}
	rows = append(rows, tableRow{rowMemory, fmt.Sprintf("PSS of an idle connection with a room of its own, at %s", count(float64(one.Connections))),
		func(p string) string { return fmt.Sprintf("%.1f KB", median(each(c.Idle[p], pss))) }})
	if one.CPUConnections > 0 {
		about := fmt.Sprintf("CPU of %s idle connections over %.0f s, heartbeat %v, in %% of a core; one measurement, and so is its multiple",
			count(float64(one.CPUConnections)), one.CPUSeconds, heartbeat)
		rows = append(rows, tableRow{rowIdle, about, c.idleCPU})
	}
	return append(rows, tableRow{rowConnect, "CPU of connecting: token verified, room subscribed", c.connect})
}

// table has a column for each peer, with the goals beside ours.
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
	for _, r := range c.rows() {
		cells := []string{label(r.key, r.about)}
		for _, name := range c.Peers {
			cells = append(cells, r.cell(name))
			if name == "roomgate" {
				cells = append(cells, goals[r.key])
			}
		}
		t.row(cells...)
	}
	return t.String() + c.rounds() + c.retried()
}

// oneRest is one of those that have the CPU; nil: there is none.
func (c *comparison) oneRest() *rest {
	for _, name := range c.Peers {
		if r := c.restWithCPU(name); r != nil {
			return r
		}
	}
	return nil
}

// restWithCPU is that of the round in which the CPU of idle connections was measured, or else the first; nil: there is none.
func (c *comparison) restWithCPU(peer string) *rest {
	rests := c.Idle[peer]
	if len(rests) == 0 {
		return nil
	}
	return &rests[max(0, slices.IndexFunc(rests, func(r rest) bool { return r.CPUConnections > 0 }))]
}

func pss(r rest) float64        { return r.PSS }
func connecting(r rest) float64 { return r.Connect }

// idleCPU is the cell of a peer, with the multiple of the floor in brackets.
func (c *comparison) idleCPU(peer string) string {
	got, floor := c.restWithCPU(peer), c.restWithCPU("floor")
	if got == nil {
		return ""
	}
	text := fmt.Sprintf("%.2f %%", got.CPU)
	if peer != "floor" && floor != nil && floor.CPU > 0 {
		text += fmt.Sprintf(" (%.1f ×)", got.CPU/floor.CPU)
	}
	return text
}

// connect is the cell of a peer, with the median of the multiples of the floor in brackets.
func (c *comparison) connect(peer string) string {
	own := each(c.Idle[peer], connecting)
	text := fmt.Sprintf("%.0f µs", median(own))
	if times := ratios(own, each(c.Idle["floor"], connecting)); peer != "floor" && len(times) > 0 {
		text += fmt.Sprintf(" (%.1f ×)", median(times))
	}
	return text
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
	rounds := c.Rates[scenario][peer]
	if times := c.multiples(scenario, peer); times != nil && peer != "floor" {
		return fmt.Sprintf("%.2f ×", median(times)) + flaws(rounds)
	}
	return fmt.Sprintf("%.2f µs", median(servers(rounds))) + flaws(rounds)
}

// multiples are those of the floor in each round; nil: it was not measured.
func (c *comparison) multiples(scenario, peer string) []float64 {
	return ratios(servers(c.Rates[scenario][peer]), servers(c.Rates[scenario]["floor"]))
}

// tail is the median of the p99, and what is not as it should be in all rounds, or was published late.
func tail(rounds []measurement) string {
	late := total(rounds, func(m measurement) int64 { return m.Late })
	due := total(rounds, func(m measurement) int64 { return max(m.Due, m.Published) })
	return fmt.Sprintf("p99 %.0f ms", median(each(rounds, func(m measurement) float64 { return m.P99 }))) + flaws(rounds) +
		fmt.Sprintf(", %s of %s published late", count(float64(late)), count(float64(due)))
}
