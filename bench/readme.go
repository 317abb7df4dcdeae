//go:build linux

package main

import "strings"

// readmeRows are the rows of the README's table, each by how it is told there.
var readmeRows = map[string]string{
	"fanout-mid": "CPU of a delivery to 1,000 members, in multiples of the floor",
	"unicast":    "CPU of a message to a room of one, in multiples of the floor",
	"fanout-big": "latency at 200 messages/s to 1,000 members",
	fanoutMax:    "messages/s to 1,000 members, p99 below 100 ms: who merges messages goes on",
	rowMemory:    "memory (PSS) of an idle connection with a room of its own",
	rowIdle:      "", // as in the whole table
	rowConnect:   "CPU of a connect, room subscribed and token verified (not by Nchan); in brackets, multiples of the floor",
}

// readme is the README's table: the peers but for the floor, and those rows of the whole one that say most.
func (c *comparison) readme() string {
	var shown []string
	for _, name := range c.Peers {
		if name != "floor" {
			shown = append(shown, name)
		}
	}
	t := markdown{}
	head := []string{"what"}
	for _, name := range shown {
		head = append(head, plainTitle(name))
	}
	t.row(head...)
	for _, r := range c.rows() {
		about, ok := readmeRows[r.key]
		if !ok {
			continue
		}
		if about == "" {
			about = r.about
		}
		cells := []string{about}
		for _, name := range shown {
			cells = append(cells, strings.TrimSuffix(r.cell(name), " ×"))
		}
		t.row(cells...)
	}
	return t.String()
}
