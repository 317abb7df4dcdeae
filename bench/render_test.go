//go:build linux

package main

import "testing"

func TestOnlyWhatIsBetweenTheMarkersIsReplaced(t *testing.T) {
	const text = "prose\n<!-- begin x: measured -->\nold\n<!-- end x -->\nmore\n"
	once, err := between([]byte(text), "x", "new\n")
	if err != nil {
		t.Fatal(err)
	}
	const want = "prose\n<!-- begin x: measured -->\n\nnew\n\n<!-- end x -->\nmore\n"
	if string(once) != want {
		t.Errorf("got %q, want %q", once, want)
	}
	if twice, err := between(once, "x", "new\n"); err != nil || string(twice) != want {
		t.Errorf("again: got %q and %v, want the same", twice, err)
	}
	if _, err := between([]byte(text), "y", ""); err == nil {
		t.Error("markers that are not there: no error")
	}
}

func TestCostsAreMediansOfMultiplesOfTheFloorOfTheSameRound(t *testing.T) {
	at := func(us ...float64) (rounds []measurement) {
		for _, u := range us {
			rounds = append(rounds, measurement{Server: u})
		}
		return rounds
	}
	// The second round was on a machine half as fast: its costs are no one's fault.
	c := comparison{Rates: map[string]map[string][]measurement{"large": {"floor": at(5, 10, 5), "roomgate": at(6, 12, 6)}}}
	if got, want := c.cost("large", "roomgate"), "1.20 ×"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := c.cost("large", "floor"), "5.00 µs"; got != want {
		t.Errorf("the floor: got %q, want %q", got, want)
	}
}
