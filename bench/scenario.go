//go:build linux

package main

import "time"

// A scenario is one row of the table whose figure is the cost of a delivery, or its latency.
type scenario struct {
	Name  string
	about string
	rate  float64 // messages a second
	size  int     // bytes
	tail  bool    // the row tells latency, not cost
}

// A stage is scenarios with the same clients, which are connected once for them.
type stage struct {
	connections, rooms int
	scenarios          []scenario
	connect            time.Duration // estimated time to start a server and connect
	tick               time.Duration // mean time between two looks of the clients; 0: the default of package load
}

var stages = []stage{
	{1000, 1, []scenario{{"fanout-mid", "1 room of 1,000 members, 128 B, 50 messages/s", 50, 128, false}}, time.Second, 0},
	{1000, 1, []scenario{{"fanout-big", "1 room of 1,000 members, 128 B, 200 messages/s", 200, 128, true}}, time.Second, closeTick},
	{10_000, 1000, []scenario{{"fanout-many", "1,000 rooms of 10 members, 128 B, 2,000 messages/s", 2000, 128, false}}, 3 * time.Second, 0},
	{5000, 5000, []scenario{{"unicast", "5,000 rooms of 1 member, 128 B, 5,000 messages/s", 5000, 128, false}}, 2 * time.Second, 0},
	{500, 1, []scenario{{"large", "1 room of 500 members, 16 KiB, 20 messages/s", 20, 16 << 10, false}}, time.Second, 0},
}

// Scenarios that are measured by other means than a rate.
const (
	fanoutMax = "fanout-max"
	idle      = "idle"
)

// scenarioNames are all, in the order of the table.
func scenarioNames() (names []string) {
	for _, st := range stages {
		for _, sc := range st.scenarios {
			names = append(names, sc.Name)
		}
	}
	return append(names, fanoutMax, idle)
}
