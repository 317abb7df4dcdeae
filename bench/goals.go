//go:build linux

package main

// goals are what roomgate is held to, by row of the table. They stand beside its column.
var goals = map[string]string{
	"fanout-mid":  "≤ 1.2 ×",
	"fanout-many": "≤ 1.5 ×",
	"unicast":     "≤ 1.5 ×",
	"large":       "≤ 1.2 ×",
	"fanout-big":  "nothing lost or late",
	fanoutMax:     "≥ 10,000/s",
	rowMemory:     "≤ 8 KB",
	rowIdle:       "≤ 2 %",
	rowConnect:    "≤ 100 µs",
}
