//go:build linux

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

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

func TestTheDocumentsHaveTheFiguresOfTheStoredResults(t *testing.T) {
	for _, document := range documents {
		text, err := os.ReadFile(document.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range document.parts {
			want, err := p.into(text)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, want) {
				t.Errorf("%s, %s: other figures, or words, than those of %s: go run . render writes these", document.path, p.name, resultsFolder)
			}
		}
	}
}

func TestTheReadmesTableHasEachPeerButForTheFloor(t *testing.T) {
	c := comparison{
		Peers: []string{"floor", "roomgate", "nchan"}, Rounds: 1,
		Rates: map[string]map[string][]measurement{"unicast": {"floor": {{Server: 10}}, "roomgate": {{Server: 12}}, "nchan": {{Server: 20, Lost: 3}}}},
		Idle: map[string][]rest{
			"floor":    {{Connections: 10, Connect: 10, CPUConnections: 20, CPU: 2, CPUSeconds: 50}},
			"roomgate": {{Connections: 10, Connect: 30, PSS: 5, CPUConnections: 20, CPU: 3, CPUSeconds: 50}},
			"nchan":    {{Connections: 10, Connect: 20, PSS: 9, CPUConnections: 20, CPU: 1, CPUSeconds: 50}},
		},
	}
	got := c.readme()
	for _, want := range []string{"| what | roomgate | Nchan |\n", " of the floor | 1.20 | 2.00 ×, 3 lost |\n", "| 5.0 KB | 9.0 KB |\n", "| 3.00 % (1.5 ×) | 1.00 % (0.5 ×) |\n", "| 30 µs (3.0 ×) | 20 µs (2.0 ×) |\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
