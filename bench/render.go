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
	readmePath   = "../README.md"
	plotsFolder  = "../docs/bench"
)

// A part is what stands between two markers of a document. Without results it says how to measure them.
type part struct {
	name    string
	command string
	text    func() (string, error) // empty: there are no results
	plots   func() error           // draws what text refers to; nil: nothing
}

var documents = []struct {
	path  string
	parts []part
}{
	{documentPath, []part{
		{"peers", "make bench-peers", renderPeers, plotPeers},
		{"lanes", "make bench-lanes", renderLanes, nil},
		{"growth", "make bench-growth", renderGrowth, plotGrowth},
		{"giant", "make bench-growth", renderGiant, nil},
		{"slow", "make bench-growth", renderSlow, nil},
	}},
	{readmePath, []part{{"cost", "make bench-peers", renderReadme, nil}}},
}

// render puts the stored results between the markers of the documents, and draws the plots.
func render() error {
	for _, document := range documents {
		text, err := os.ReadFile(document.path)
		if err != nil {
			return err
		}
		for _, p := range document.parts {
			if text, err = p.into(text); err != nil {
				return fmt.Errorf("%s: %w", document.path, err)
			}
			if p.plots == nil {
				continue
			}
			if err := p.plots(); err != nil {
				return err
			}
		}
		if err := os.WriteFile(document.path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// into puts the part's text between its markers.
func (p part) into(text []byte) ([]byte, error) {
	made, err := p.text()
	if err != nil {
		return nil, err
	}
	if made == "" {
		made = fmt.Sprintf("Not measured yet: `%s`.\n", p.command)
	}
	return between(text, p.name, made)
}

// between puts another text between the markers of a part.
func between(text []byte, name, made string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- begin %s: measured -->\n", name), fmt.Sprintf("<!-- end %s -->\n", name)
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !ok || !ended {
		return nil, fmt.Errorf("the markers of %q are missing", name)
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte("\n" + made + "\n"), []byte(end), after}, nil), nil
}

func renderReadme() (string, error) {
	c, err := stored[comparison](peersFile)
	if c == nil || err != nil {
		return "", err
	}
	return c.readme(), nil
}

func renderPeers() (string, error) {
	c, err := stored[comparison](peersFile)
	if c == nil || err != nil {
		return "", err
	}
	text := paragraph(c.Machine, c.Command) + c.table() + "\n" +
		"![CPU of a delivery, in multiples of the floor](bench/peers-cost.svg)\n\n" +
		"![Highest rate to 1,000 members](bench/peers-max.svg)\n\n" +
		"![Memory of an idle connection](bench/peers-idle.svg)\n\n" +
		"### All figures\n\n" + c.details()
	return text, nil
}

func plotPeers() error {
	c, err := stored[comparison](peersFile)
	if c == nil || err != nil {
		return err
	}
	return c.plots()
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
	return paragraph(g.Machine, g.Command) + g.tables(), nil
}

func plotGrowth() error {
	g, err := stored[growth](growthFile)
	if g == nil || err != nil {
		return err
	}
	return g.plots()
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
