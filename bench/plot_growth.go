//go:build linux

package main

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func (g *growth) plots() error {
	members := map[string]plotter.XYs{}
	for _, m := range g.Members {
		x := float64(m.Members)
		members["floor"] = append(members["floor"], plotter.XY{X: x, Y: median(servers(m.Floor))})
		members["roomgate"] = append(members["roomgate"], plotter.XY{X: x, Y: median(servers(m.Roomgate))})
	}
	var memory, cpu, rooms, joins plotter.XYs
	for _, r := range g.Connections {
		memory = append(memory, plotter.XY{X: float64(r.Connections), Y: r.PSS})
		cpu = append(cpu, plotter.XY{X: float64(r.Connections), Y: r.CPU})
	}
	for _, r := range g.Rooms {
		rooms = append(rooms, plotter.XY{X: float64(r.Rooms), Y: r.Got.Server})
	}
	for _, j := range g.Joins {
		joins = append(joins, plotter.XY{X: float64(j.Members), Y: j.Server})
	}
	ours := func(points plotter.XYs) map[string]plotter.XYs { return map[string]plotter.XYs{"roomgate": points} }
	for _, one := range []struct {
		file, title, x, y string
		lines             map[string]plotter.XYs
	}{
		{"growth-members.svg", "CPU of a delivery", "members of the room (log)", "µs", members},
		{"growth-connections.svg", "Memory of an idle connection", "connections (log)", "KB each (PSS)", ours(memory)},
		{"growth-idle.svg", "CPU of idle connections", "connections (log)", "% of one core, all together", ours(cpu)},
		{"growth-rooms.svg", "CPU of a message to a room of one member", "rooms (log)", "µs", ours(rooms)},
		{"growth-joins.svg", "CPU of a join and its leave", "members of the room (log)", "µs", ours(joins)},
	} {
		if err := lines(one.file, one.title, one.x, one.y, one.lines); err != nil {
			return err
		}
	}
	return nil
}

// lines has a line for each peer, over a logarithmic x.
func lines(file, title, x, y string, of map[string]plotter.XYs) error {
	p := newPlot(title, x, y)
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
	for _, name := range []string{"floor", "roomgate"} {
		if len(of[name]) == 0 {
			continue
		}
		line, points, err := plotter.NewLinePoints(of[name])
		if err != nil {
			return err
		}
		line.Color, line.Width = colours[name], vg.Points(1.5)
		points.Color, points.Shape = colours[name], draw.CircleGlyph{}
		p.Add(line, points)
		p.Legend.Add(name, line, points)
	}
	p.Y.Max *= 1.2 // room for the legend
	return save(p, file, 16*vg.Centimeter)
}

// decades are ticks at the powers of ten, and unnamed ones between.
func decades(low, high float64) (ticks []plot.Tick) {
	for decade := 1; float64(decade) <= high; decade *= 10 {
		for n := 1; n < 10; n++ {
			if v := float64(n * decade); low <= v && v <= high {
				tick := plot.Tick{Value: v}
				if n == 1 || n == 5 && high < 100*low {
					tick.Label = count(v)
				}
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
