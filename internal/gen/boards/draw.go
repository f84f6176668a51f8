package boards

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Measures of a picture, in pixels.
const (
	columnWidth = 100.0
	rowHeight   = 108.0
	titleHeight = 44.0 // of a row that holds the titles of groups
	margin      = 12.0 // around the board
	gap         = 4.0  // half of what lies between two widgets
	header      = 86.0
	padding     = 12.0 // inside of a widget
)

// Monitor is a monitor as the list of a board shows it.
type Monitor struct {
	ID   string `json:"-"` // the base name of its file
	Name string `json:"name"`
}

// board is the drawing of one dashboard.
type board struct {
	canvas
	world    world
	monitors []Monitor
	colors   map[string]string // by a series' name, so that it has one colour on the board
}

// Draw returns the picture of a dashboard, as SVG. Monitors are what a list of
// monitors shows.
func Draw(raw []byte, monitors []Monitor) ([]byte, error) {
	d, err := read(raw)
	if err != nil {
		return nil, err
	}
	b := &board{world: newWorld(), monitors: monitors, colors: map[string]string{}}
	top := tops(d.Widgets)
	wide, high := 2*margin+columns*columnWidth, top[len(top)-1]+margin
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" font-family="%s" role="img" aria-label="%s">`+"\n",
		num(wide), num(high), num(wide), num(high), fontStack, escape("Dashboard "+d.Title+", with simulated data"))
	b.rect(0, 0, wide, high, 8, ground, "")
	b.head(d, wide)
	for _, w := range d.Widgets {
		if err := b.group(w, top[w.Layout.Y], top[w.Layout.Y+w.Layout.Height]); err != nil {
			return nil, fmt.Errorf("%s > %w", w.name(), err)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// head draws the title, the window of time and the template variables.
func (b *board) head(d dashboard, wide float64) {
	b.text(margin+4, 34, d.Title, textStyle{size: 20, color: ink, bold: true})
	b.text(wide-margin-4, 34, "simulated data: 1 June 2026, 00:00 to 24:00 UTC", textStyle{size: 13, color: faint, anchor: "end"})
	x := margin + 4
	for _, v := range d.Variables {
		name, value := textStyle{size: 12, color: faint}, textStyle{size: 12, color: ink, bold: true}
		label := "$" + v.Name
		w := width(label, name) + width("*", value) + 26
		b.rect(x, 50, w, 24, 4, paper, "#cfd5dc")
		b.text(x+8, 66, label, name)
		b.text(x+14+width(label, name), 66, "*", value)
		x += w + 8
	}
	purple := textStyle{size: 12, color: release}
	label := "release of a prompt version"
	x = wide - margin - 4 - width(label, purple)
	b.text(x, 66, label, purple)
	b.path(fmt.Sprintf("M%s 54V72", num(x-8)), release, 1.5, ` stroke-dasharray="3 3"`)
}

// frame is a widget's place in pixels.
type frame struct{ x, y, w, h float64 }

// tops returns where each row of the groups begins, and where the last one ends. A row
// in which groups begin, and none has content, is only as high as their titles.
func tops(groups []widget) []float64 {
	var heights []float64
	for _, g := range groups {
		for len(heights) < g.Layout.Y+g.Layout.Height {
			heights = append(heights, titleHeight)
		}
		for row := g.Layout.Y + 1; row < g.Layout.Y+g.Layout.Height; row++ {
			heights[row] = rowHeight
		}
	}
	out := []float64{header}
	for _, h := range heights {
		out = append(out, out[len(out)-1]+h)
	}
	return out
}

// groupColors are the grounds of a group's title.
var groupColors = map[string]string{
	"vivid_blue": "#2f6fde", "blue": "#4a76b8", "green": "#3f8f6b", "orange": "#c06a2b", "purple": "#7b5fb5",
	"yellow": "#a37c16", "pink": "#b6527f", "gray": "#5f6b78",
}

// group draws a group and its widgets between two heights.
func (b *board) group(g widget, top, bottom float64) error {
	color, ok := groupColors[g.Definition.Background]
	if !ok {
		return fmt.Errorf("background_color %q is none of %s", g.Definition.Background, strings.Join(slices.Sorted(maps.Keys(groupColors)), ", "))
	}
	f := frame{margin + float64(g.Layout.X)*columnWidth + gap, top + gap, float64(g.Layout.Width)*columnWidth - 2*gap, bottom - top - 2*gap}
	b.rect(f.x, f.y, f.w, f.h, 6, "#e8ebef", "")
	b.rect(f.x, f.y, f.w, titleHeight-10, 6, color, "")
	b.text(f.x+padding, f.y+22, g.Definition.Title, textStyle{size: 15, color: paper, bold: true})
	// The columns of a group's content are a little narrower than those of the board.
	column := (f.w - 2*gap) / float64(g.Layout.Width)
	top += titleHeight - 2*gap
	for _, w := range g.Definition.Widgets {
		l := w.Layout
		inner := frame{
			f.x + float64(l.X)*column + 2*gap, top + float64(l.Y)*rowHeight + gap,
			float64(l.Width)*column - 2*gap, float64(l.Height)*rowHeight - 2*gap,
		}
		if err := b.widget(w, inner); err != nil {
			return fmt.Errorf("%s: %w", w.name(), err)
		}
	}
	return nil
}

func (b *board) widget(w widget, f frame) error {
	if w.Definition.Type == "query_value" {
		return b.queryValue(w.Definition, f)
	}
	b.rect(f.x, f.y, f.w, f.h, 4, paper, "#d5dae0")
	if w.Definition.Type == "note" {
		return b.note(w.Definition.Content, f)
	}
	if err := b.title(w.Definition.Title, f, ink); err != nil {
		return err
	}
	f.y, f.h = f.y+26, f.h-26
	switch w.Definition.Type {
	case "timeseries":
		return b.timeseries(w.Definition, f)
	case "query_table":
		return b.queryTable(w.Definition, f)
	case "toplist":
		return b.toplist(w.Definition, f)
	case "manage_status":
		return b.manageStatus(f)
	}
	return fmt.Errorf("a widget of type %q is not known here", w.Definition.Type)
}

func (b *board) title(s string, f frame, color string) error {
	st := textStyle{size: 12.5, color: color, bold: true}
	if s == "" || width(s, st) > f.w-2*padding+6 {
		return fmt.Errorf("the title has room for %.0f pixels and needs %.0f: shorten it", f.w-2*padding+6, width(s, st))
	}
	b.text(f.x+padding, f.y+19, s, st)
	return nil
}

// palette are colours of series that are told apart on white.
var palette = []string{"#2f6fde", "#e07b39", "#c4314b", "#2a9d78", "#8a63c9", "#b58900", "#5b6b7b", "#d1589b", "#17a2b8", "#6b8e23", "#8c564b", "#3d405b"}

// seriesColors gives each name a colour of its own in a graph, and the same one in
// all graphs of the board unless two names would share it.
func (b *board) seriesColors(names []string) map[string]string {
	out, used := map[string]string{}, map[string]bool{}
	for _, n := range names {
		c, ok := b.colors[n]
		if !ok {
			c = palette[len(b.colors)%len(palette)]
			b.colors[n] = c
		}
		for i := 0; used[c] && i < len(palette); i++ {
			c = palette[i]
		}
		out[n], used[c] = c, true
	}
	return out
}
