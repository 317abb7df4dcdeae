//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
)

// Where the documents are, seen from this module's folder.
const (
	documentPath = "../docs/benchmarks.md"
	plotsFolder  = "../docs/bench"
)

// render puts the stored results between the markers of the document, and draws the plots. A part without
// results says how to measure it.
func render() error {
	text, err := os.ReadFile(documentPath)
	if err != nil {
		return err
	}
	parts := []struct {
		name    string
		command string
		make    func() (string, error) // the text; empty: there are no results
	}{
		{"peers", "make bench-peers", renderPeers},
		{"lanes", "make bench-lanes", renderLanes},
		{"growth", "make bench-growth", renderGrowth},
		{"giant", "make bench-growth", renderGiant},
		{"slow", "make bench-growth", renderSlow},
	}
	for _, part := range parts {
		made, err := part.make()
		if err != nil {
			return err
		}
		if made == "" {
			made = fmt.Sprintf("Not measured yet: `%s`.\n", part.command)
		}
		if text, err = between(text, part.name, made); err != nil {
			return err
		}
	}
	return os.WriteFile(documentPath, text, 0o644)
}

// between puts new between the markers of a part.
func between(text []byte, name, new string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- begin %s: measured -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !ok || !ended {
		return nil, fmt.Errorf("%s lacks the markers of %q", documentPath, name)
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte("\n" + new + "\n"), []byte(end), after}, nil), nil
}

func renderPeers() (string, error) {
	c, err := stored[comparison](peersFile)
	if c == nil || err != nil {
		return "", err
	}
	if err := c.plots(); err != nil {
		return "", err
	}
	text := paragraph(c.Machine, c.Command) + c.table() + "\n" +
		"![CPU of a delivery, in multiples of the floor](bench/peers-cost.svg)\n\n" +
		"![Highest rate to 1,000 members](bench/peers-max.svg)\n\n" +
		"![Memory of an idle connection](bench/peers-idle.svg)\n\n" +
		"### All figures\n\n" + c.details()
	return text, nil
}

func renderLanes() (string, error) {
	c, err := stored[comparison](lanesFile)
	if c == nil || err != nil {
		return "", err
	}
	return paragraph(c.Machine, c.Command) + c.lanes(), nil
}

func renderGrowth() (string, error) {
	g, err := stored[growth](growthFile)
	if g == nil || err != nil {
		return "", err
	}
	return paragraph(g.Machine, g.Command) + g.tables(), g.plots()
}

func renderGiant() (string, error) {
	n, err := stored[neighbours](giantFile)
	if n == nil || err != nil {
		return "", err
	}
	return paragraph(n.Machine, n.Command) + n.table(), nil
}

func renderSlow() (string, error) {
	l, err := stored[laggards](slowFile)
	if l == nil || err != nil {
		return "", err
	}
	return paragraph(l.Machine, l.Command) + l.table(), nil
}

func paragraph(m machine, command string) string {
	return fmt.Sprintf("Measured by `%s` on: %s.\n\n", command, m)
}
