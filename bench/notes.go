//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rounds tells of how many measurements a row is.
func (c *comparison) rounds() string {
	of := map[int][]string{} // rows by rounds
	if len(c.Rates) > 0 {
		of[c.Rounds] = []string{"the cost of a delivery", "p99"}
	}
	if one := c.oneRest(); one != nil {
		n := len(c.Idle[c.Peers[0]]) // it is the same of all
		of[n] = append(of[n], rowMemory, rowConnect)
		if one.CPUConnections > 0 {
			of[1] = append(of[1], rowIdle)
		}
	}
	if len(c.Ceilings) > 0 {
		of[1] = append(of[1], fanoutMax)
	}
	text := ""
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(of))) {
		how := fmt.Sprintf("Medians of %d rounds", n)
		if n == 1 {
			how = "Of one measurement"
		}
		text += fmt.Sprintf(" %s: %s.", how, strings.Join(of[n], ", "))
	}
	return "\n" + strings.TrimSpace(text) + "\n"
}

// retried tells what had to be done twice; empty: nothing.
func (c *comparison) retried() string {
	if len(c.Retries) == 0 {
		return ""
	}
	var steps []string
	for _, r := range c.Retries {
		steps = append(steps, fmt.Sprintf("%s (%s)", r.Step, r.Why))
	}
	return "\nMeasured a second time, since the first one failed: " + strings.Join(steps, "; ") + ".\n"
}
