//go:build linux

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Colours that can be told apart by most who see colours differently (Okabe and Ito), by peer.
var colours = map[string]color.Color{
	"floor":      color.RGBA{0x99, 0x99, 0x99, 0xff},
	"roomgate":   color.RGBA{0xd5, 0x5e, 0x00, 0xff},
	"nchan":      color.RGBA{0x00, 0x9e, 0x73, 0xff},
	"centrifuge": color.RGBA{0x00, 0x72, 0xb2, 0xff},
	"gorilla":    color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	"coder":      color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	"socketio":   color.RGBA{0xcc, 0x79, 0xa7, 0xff},
}

func newPlot(title, x, y string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(8)
	p.Y.Min = 0
	p.Legend.Top = true
	grid := plotter.NewGrid()
	grid.Vertical.Color = color.Gray{0xe0}
	grid.Horizontal.Color = color.Gray{0xe0}
	p.Add(grid)
	return p
}

// save writes a plot as SVG, on white, with fonts that other systems have.
func save(p *plot.Plot, name string, width vg.Length) error {
	const margin = 10 // points
	canvas := vgsvg.New(width, 9*vg.Centimeter)
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	if err := os.MkdirAll(plotsFolder, 0o755); err != nil {
		return err
	}
	text := strings.ReplaceAll(b.String(), "font-family:Liberation Sans", "font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	return os.WriteFile(filepath.Join(plotsFolder, name), []byte(text), 0o644)
}

// plainTitle is a peer's in a plot.
func plainTitle(name string) string { return strings.Trim(titleOf(name), "*") }

func (c *comparison) plots() error {
	if err := c.plotCost(); err != nil {
		return err
	}
	most, idle := plotter.Values{}, plotter.Values{}
	for _, name := range c.Peers {
		most, idle = append(most, c.Ceilings[name].Rate), append(idle, median(each(c.Idle[name], pss)))
	}
	if err := c.bars("peers-max.svg", "Highest rate to 1,000 members with p99 below 100 ms and nothing lost", "messages a second", most); err != nil {
		return err
	}
	return c.bars("peers-idle.svg", "Memory of an idle connection with a room of its own", "KB each (PSS)", idle)
}

// plotCost has a group of bars for each scenario, and a bar for each peer.
func (c *comparison) plotCost() error {
	p := newPlot("CPU of a delivery", "", "multiples of the floor")
	var names []string
	for _, st := range stages {
		for _, sc := range st.scenarios {
			if !sc.tail && c.Rates[sc.Name] != nil {
				names = append(names, sc.Name)
			}
		}
	}
	width := vg.Points(10)
	for i, peer := range c.Peers {
		values := plotter.Values{}
		for _, name := range names {
			values = append(values, median(c.multiples(name, peer)))
		}
		if len(values) == 0 {
			continue
		}
		bars, err := plotter.NewBarChart(values, width)
		if err != nil {
			return err
		}
		bars.Color, bars.LineStyle.Width = colours[peer], 0
		bars.Offset = width * (vg.Length(i) - vg.Length(len(c.Peers)-1)/2)
		p.Add(bars)
		p.Legend.Add(plainTitle(peer), bars)
	}
	p.NominalX(names...)
	p.Y.Max *= 1.8 // room for the legend
	return save(p, "peers-cost.svg", 20*vg.Centimeter)
}

// bars has one bar for each peer.
func (c *comparison) bars(file, title, x string, values plotter.Values) error {
	p := newPlot(title, x, "")
	p.X.Min = 0
	var names []string
	var labels plotter.XYLabels
	for i := range values {
		peer, value := c.Peers[len(values)-1-i], values[len(values)-1-i] // the first is to be at the top
		bar, err := plotter.NewBarChart(plotter.Values{value}, vg.Points(18))
		if err != nil {
			return err
		}
		bar.XMin, bar.Horizontal, bar.Color, bar.LineStyle.Width = float64(i), true, colours[peer], 0
		p.Add(bar)
		names = append(names, plainTitle(peer))
		labels.XYs = append(labels.XYs, plotter.XY{X: value, Y: float64(i)})
		labels.Labels = append(labels.Labels, short(value))
	}
	p.NominalY(names...)
	figures, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	figures.Offset = vg.Point{X: 4, Y: -4}
	p.Add(figures)
	p.X.Max *= 1.15 // room for them
	return save(p, file, 16*vg.Centimeter)
}

// short is a figure with three digits at least.
func short(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return count(v)
}
