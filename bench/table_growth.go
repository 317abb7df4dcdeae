//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tables tell how costs grow, each with its plot.
func (g *growth) tables() string {
	var parts []string
	if len(g.Members) > 0 {
		t := markdown{}
		t.row("members of the room", "messages/s", "floor, µs a delivery", "roomgate, µs a delivery", "ratio")
		for _, p := range g.Members {
			floor, gate := median(servers(p.Floor)), median(servers(p.Roomgate))
			t.row(count(float64(p.Members)), count(growthDeliveries/float64(p.Members)), fmt.Sprintf("%.2f", floor), fmt.Sprintf("%.2f", gate)+flaws(p.Roomgate),
				fmt.Sprintf("%.2f", median(ratios(servers(p.Roomgate), servers(p.Floor)))))
		}
		parts = append(parts, fmt.Sprintf("### Members\n\nOne room, %s deliveries a second, whatever its size; medians of %d rounds.\n\n%s\n![CPU of a delivery by members](bench/growth-members.svg)\n",
			count(growthDeliveries), len(g.Members[0].Floor), t.String()))
	}
	if len(g.Connections) > 0 {
		t := markdown{}
		t.row("connections", "PSS each", "RSS each", "CPU of all, % of a core", "CPU to connect each")
		for _, r := range g.Connections {
			t.row(count(float64(r.Connections)), fmt.Sprintf("%.1f KB", r.PSS), fmt.Sprintf("%.1f KB", r.RSS), fmt.Sprintf("%.2f", r.CPU), fmt.Sprintf("%.0f µs", r.Connect))
		}
		parts = append(parts, fmt.Sprintf("### Connections\n\nIdle, each in a room of its own, with a heartbeat of %v; CPU over %.0f s.\n\n%s\n![Memory of a connection](bench/growth-connections.svg)\n\n![CPU of idle connections](bench/growth-idle.svg)\n",
			heartbeat, g.Connections[0].CPUSeconds, t.String()))
	}
	if len(g.Rooms) > 0 {
		t := markdown{}
		t.row("rooms", "connections", "roomgate, µs a message", "Redis, µs a message", "p99", "lost")
		for _, p := range g.Rooms {
			t.row(count(float64(p.Rooms)), count(float64(p.Connections)), fmt.Sprintf("%.2f", p.Got.Server), fmt.Sprintf("%.2f", p.Got.Redis), fmt.Sprintf("%.1f ms", p.Got.P99), count(float64(p.Got.Lost)))
		}
		parts = append(parts, fmt.Sprintf("### Rooms\n\n%s messages a second over all rooms in turn, each room of one member, as `roomgate.v1`. With more rooms than connections each connection is in several.\n\n%s\n![CPU of a message by rooms](bench/growth-rooms.svg)\n",
			count(growthMessages), t.String()))
	}
	if len(g.Joins) > 0 {
		t := markdown{}
		t.row("members of the room", "joins and leaves a second", "CPU of a join and its leave")
		for _, p := range g.Joins {
			t.row(count(float64(p.Members)), count(p.Pairs), fmt.Sprintf("%.1f µs", p.Server))
		}
		parts = append(parts, fmt.Sprintf("### Joins and leaves\n\n%d clients subscribe and unsubscribe a room that the others stay in, each awaiting one answer before it sends the next frame.\n\n%s\n![CPU of a join and its leave by members](bench/growth-joins.svg)\n",
			joiners, t.String()))
	}
	return strings.Join(parts, "\n")
}

func (n *neighbours) table() string {
	t := markdown{}
	t.row("", "p50", "p99", "p99.9", "lost")
	for _, r := range []struct {
		label  string
		rounds []measurement
	}{
		{fmt.Sprintf("%d quiet rooms of %d, %d messages/s", quietRooms, quietMembers, quietRate), n.Without},
		{fmt.Sprintf("the same, beside a room of %s that gets %.0f messages/s", count(float64(n.Members)), n.Rate), n.With},
		{"that room", n.Giant},
	} {
		lost := total(r.rounds, func(m measurement) int64 { return m.Lost })
		ms := func(f func(measurement) float64) string { return fmt.Sprintf("%.1f ms", median(each(r.rounds, f))) }
		t.row(r.label, ms(func(m measurement) float64 { return m.P50 }), ms(func(m measurement) float64 { return m.P99 }),
			ms(func(m measurement) float64 { return m.P999 }), count(float64(lost)))
	}
	return t.String()
}

func (l *laggards) table() string {
	var without, with []measurement
	ended := map[string]int{}
	var before, peak, after []float64
	for _, r := range l.Rounds {
		without, with = append(without, r.Without), append(with, r.With)
		before, peak, after = append(before, r.Before), append(peak, r.Peak), append(after, r.After)
		for reason, n := range r.Ended {
			ended[reason] += n
		}
	}
	t := markdown{}
	t.row("", "p50", "p99", "least – most", "p99.9", "lost", "CPU of a delivery", "Redis, µs a message")
	for _, r := range []struct {
		label  string
		rounds []measurement
	}{
		{fmt.Sprintf("%s members, all read", count(float64(l.Members))), without},
		{fmt.Sprintf("the %s who read, beside %d who never do", count(float64(l.Members-l.Mute)), l.Mute), with},
	} {
		p99 := each(r.rounds, func(m measurement) float64 { return m.P99 })
		ms := func(f func(measurement) float64) string { return fmt.Sprintf("%.1f ms", median(each(r.rounds, f))) }
		lost := total(r.rounds, func(m measurement) int64 { return m.Lost })
		t.row(r.label, ms(func(m measurement) float64 { return m.P50 }), fmt.Sprintf("%.1f ms", median(p99)), leastMost("%.1f", p99),
			ms(func(m measurement) float64 { return m.P999 }), count(float64(lost)), fmt.Sprintf("%.2f µs", median(servers(r.rounds))),
			fmt.Sprintf("%.0f", median(each(r.rounds, func(m measurement) float64 { return m.Redis * float64(m.Expected-m.Lost) / float64(m.Published) }))))
	}
	how := fmt.Sprintf("Medians of %d rounds.", len(l.Rounds))
	if len(l.Rounds) == 1 {
		how = "Of one measurement."
	}
	return fmt.Sprintf("%s\n%s The CPU is that of the server for each delivery to those who read: what it does for the others, until it ends them, is in it. With `limits.outbox_bytes` %s, %d messages/s of %s B for %.0f s: the server had %.1f MB (RSS) when all were connected, at most %.1f, and %.1f "+
		"ten seconds after the last message. %d never read; `roomgate_connections_ended_total` of the server then has: %s.\n",
		t.String(), how, l.Outbox, slowRate, count(slowSize), with[0].Seconds, median(before), slices.Max(peak), median(after), l.Mute*len(l.Rounds), reasons(ended))
}

// reasons lists why connections ended, and how many.
func reasons(ended map[string]int) string {
	if len(ended) == 0 {
		return "nothing"
	}
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(ended)) {
		list = append(list, fmt.Sprintf("%d as %s", ended[reason], reason))
	}
	return strings.Join(list, ", ")
}
