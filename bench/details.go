//go:build linux

package main

import "fmt"

// details has a row for each scenario and peer, with all that was measured.
func (c *comparison) details() string {
	t := markdown{}
	t.row("scenario", "peer", "server, µs", "least – most", "multiple of the floor", "Redis, µs", "clients, µs", "p50, ms", "p99, ms", "lost", "duplicated", "out of order", "late")
	for _, st := range stages {
		for _, sc := range st.scenarios {
			for _, p := range c.Peers {
				rounds := c.Rates[sc.Name][p]
				if len(rounds) == 0 {
					continue
				}
				of := func(format string, f func(measurement) float64) string {
					return fmt.Sprintf(format, median(each(rounds, f)))
				}
				all := func(f func(measurement) int64) string { return count(float64(total(rounds, f))) }
				cpu := servers(rounds)
				t.row(sc.Name, titleOf(p), fmt.Sprintf("%.2f", median(cpu)), leastMost("%.2f", cpu), spread(c.multiples(sc.Name, p)),
					of("%.2f", func(m measurement) float64 { return m.Redis }), of("%.2f", func(m measurement) float64 { return m.Client }),
					of("%.1f", func(m measurement) float64 { return m.P50 }), of("%.1f", func(m measurement) float64 { return m.P99 }),
					all(func(m measurement) int64 { return m.Lost }), all(func(m measurement) int64 { return m.Duplicated }),
					all(func(m measurement) int64 { return m.OutOfOrder }), all(func(m measurement) int64 { return m.Late }))
			}
		}
	}
	return "CPU is for each delivery, the median of the rounds; a multiple is that of the floor in the same round: the median, and least – most. What was lost, came twice or out of order, or was late is of all rounds. " +
		"Late is what the generator published more than 5 ms after its time, or not at all.\n\n" + t.String() + c.restDetails()
}

// restDetails has a row for each peer, with what idle connections cost; empty: they were not measured.
func (c *comparison) restDetails() string {
	if len(c.Idle) == 0 {
		return ""
	}
	t := markdown{}
	t.row("peer", "rounds", "connect, µs", "least – most", "multiple of the floor", "PSS each, KB", "least – most", "idle CPU, %, once", "pings answered each")
	for _, p := range c.Peers {
		rests := c.Idle[p]
		if len(rests) == 0 {
			continue
		}
		connects, memory, cpu, pings := each(rests, connecting), each(rests, pss), "–", "–"
		if one := c.restWithCPU(p); one.CPUConnections > 0 {
			cpu = fmt.Sprintf("%.2f", one.CPU)
			if one.Pings > 0 {
				pings = fmt.Sprintf("%.2f", one.Pings)
			}
		}
		t.row(titleOf(p), count(float64(len(rests))), fmt.Sprintf("%.1f", median(connects)), leastMost("%.1f", connects),
			spread(ratios(connects, each(c.Idle["floor"], connecting))), fmt.Sprintf("%.1f", median(memory)), leastMost("%.1f", memory), cpu, pings)
	}
	return "\n" + t.String()
}
