package boards

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release is the colour of a release's line.
const release = "#7a3fc4"

// shape is one line, or one colour of bars or of an area.
type shape struct {
	name    string
	values  []float64
	display string
	style   string // more attributes of a line
	color   string
	unit    string
}

// timeseries draws a graph with its axes, legend, markers and releases.
func (b *board) timeseries(d definition, f frame) error {
	span, ok := spans[d.Time.LiveSpan]
	if !ok {
		return fmt.Errorf("live_span %q is not known here", d.Time.LiveSpan)
	}
	all, err := b.lines(d, span)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("no series: does any metric have the tags that the queries filter by?")
	}
	high := b.legend(all, f)
	plot := frame{f.x + 52, f.y + 12, f.w - 52 - padding, f.h - 12 - 22 - high}
	low, top, err := b.scale(d, all)
	if err != nil {
		return err
	}
	b.axes(plot, low, top, all[0].unit, span)
	y := func(v float64) float64 {
		return plot.y + plot.h*(1-(math.Min(math.Max(v, low), top)-low)/(top-low))
	}
	b.stacks(all, plot, y, low)
	for _, s := range all {
		if s.display == "line" {
			b.path(linePath(s.values, plot, y), s.color, 1.6, ` stroke-linejoin="round"`+s.style)
		}
	}
	for _, m := range d.Markers {
		v, _ := strconv.ParseFloat(strings.TrimPrefix(m.Value, "y = "), 64) // scale has read it
		b.path(fmt.Sprintf("M%s %sH%s", num(plot.x), num(y(v)), num(plot.x+plot.w)), red, 1.2, ` stroke-dasharray="5 4"`)
		up := -4.0
		if y(v)-plot.y < 14 {
			up = 12
		}
		b.text(plot.x+4, y(v)+up, m.Label, textStyle{size: 10.5, color: red, halo: true})
	}
	if len(d.Events) > 0 {
		b.releases(plot, span)
	}
	return nil
}

// lines evaluates all requests, the largest series first.
func (b *board) lines(d definition, span time.Duration) ([]shape, error) {
	var all []shape
	formulas := 0
	for _, r := range d.Requests {
		formulas += len(r.Formulas)
	}
	for _, r := range d.Requests {
		results, err := b.run(r, span, false)
		if err != nil {
			return nil, err
		}
		style := ""
		if r.Style.LineType == "dashed" {
			style = ` stroke-dasharray="4 3"`
		}
		for _, res := range results {
			var group []shape
			for k, values := range res.table.groups {
				name := strings.Join(slices.DeleteFunc(strings.Split(k, "\x00"), func(s string) bool { return s == "" }), " ")
				switch {
				case name == "" && len(res.by) > 0:
					name = "N/A"
				case name == "":
					name = res.formula.Alias
				case formulas > 1:
					name += ": " + res.formula.Alias
				}
				group = append(group, shape{name: name, values: values, display: r.Display, style: style, unit: res.formula.unit()})
			}
			slices.SortFunc(group, func(x, y shape) int {
				return cmp.Or(cmp.Compare(mean(y.values), mean(x.values)), cmp.Compare(x.name, y.name))
			})
			if l := res.formula.Limit; l != nil {
				if l.Order == "asc" {
					slices.Reverse(group)
				}
				group = group[:min(len(group), l.Count)]
			}
			all = append(all, group...)
		}
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].name
	}
	slices.Sort(names)
	colors := b.seriesColors(names)
	for i := range all {
		all[i].color = colors[all[i].name]
	}
	return all, nil
}

func mean(values []float64) float64 {
	total, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			total, n = total+v, n+1
		}
	}
	return total / math.Max(n, 1)
}

// legend draws names below the graph, in as many rows as they need, and returns their
// height.
func (b *board) legend(all []shape, f frame) float64 {
	const rowsHigh = 14.5
	st := textStyle{size: 10, color: ink}
	type item struct {
		name string
		x    float64
		row  int
	}
	var items []item
	x, row := 0.0, 0
	room := f.w - padding
	for _, s := range all {
		name := fit(s.name, room-16, st)
		w := width(name, st) + 26
		if x > 0 && x+w-12 > room {
			x, row = 0, row+1
		}
		items = append(items, item{name, x, row})
		x += w
	}
	high := float64(row+1)*rowsHigh + 4
	for i, it := range items {
		y := f.y + f.h - high + float64(it.row)*rowsHigh + 9
		b.rect(f.x+padding/2+it.x, y-7, 9, 9, 2, all[i].color, "")
		b.text(f.x+padding/2+it.x+13, y+1.5, it.name, st)
	}
	return high
}

// scale returns the ends of the vertical axis: those that the widget fixes, else
// round ones around what is drawn and the markers.
func (b *board) scale(d definition, all []shape) (low, top float64, err error) {
	low, top = math.Inf(1), math.Inf(-1)
	see := func(v float64) { low, top = math.Min(low, v), math.Max(top, v) }
	var stack []float64
	for _, s := range all {
		for i, v := range s.values {
			if math.IsNaN(v) {
				continue
			}
			if s.display == "line" {
				see(v)
				continue
			}
			for len(stack) <= i {
				stack = append(stack, 0)
			}
			stack[i] += v
			see(stack[i])
			see(0)
		}
	}
	for _, m := range d.Markers {
		v, err := strconv.ParseFloat(strings.TrimPrefix(m.Value, "y = "), 64)
		if err != nil {
			return 0, 0, fmt.Errorf("marker %q is not of the form %q", m.Value, "y = number")
		}
		see(v)
	}
	if d.Yaxis.Zero {
		see(0)
	}
	if math.IsInf(low, 0) {
		low, top = 0, 1
	}
	for _, end := range []struct {
		text string
		to   *float64
	}{{d.Yaxis.Min, &low}, {d.Yaxis.Max, &top}} {
		if end.text == "" {
			continue
		}
		if *end.to, err = strconv.ParseFloat(end.text, 64); err != nil {
			return 0, 0, fmt.Errorf("yaxis %q is not a number", end.text)
		}
	}
	if top-low < 1e-9 {
		top = low + 1
	}
	by := tick(top-low, all[0].unit)
	if d.Yaxis.Min == "" {
		low = math.Floor(low/by+1e-9) * by
	}
	if d.Yaxis.Max == "" {
		top = math.Ceil(top/by-1e-9) * by
	}
	return low, top, nil
}

// tick is a round distance of which three to five cover an axis. Seconds that are
// written as minutes are round in minutes.
func tick(extent float64, unit string) float64 {
	if unit == "second" && extent >= 120 {
		return 60 * tick(extent/60, "")
	}
	power := math.Pow(10, math.Floor(math.Log10(extent/4)))
	for _, m := range []float64{1, 2, 5} {
		if extent/(m*power) <= 4.5 {
			return m * power
		}
	}
	return 10 * power
}

// axes draws the horizontal lines with their values, and the hours or days.
func (b *board) axes(plot frame, low, top float64, unit string, span time.Duration) {
	st := textStyle{size: 10.5, color: faint, anchor: "end"}
	by := tick(top-low, unit)
	for i := math.Ceil(low/by - 1e-9); i*by <= top+1e-9*by; i++ {
		y := plot.y + plot.h*(1-(i*by-low)/(top-low))
		b.path(fmt.Sprintf("M%s %sH%s", num(plot.x), num(y), num(plot.x+plot.w)), line, 1, "")
		b.text(plot.x-5, y+3.5, number(i*by, unit, nil), st)
	}
	st.anchor = "middle"
	every, format := 4*time.Hour, "15:04"
	if span > 48*time.Hour {
		every, format = 7*24*time.Hour, "2 Jan"
	}
	for t := end.Add(-span).Add(every); t.Before(end); t = t.Add(every) {
		x := plot.x + plot.w*(1-float64(end.Sub(t))/float64(span))
		b.path(fmt.Sprintf("M%s %sv4", num(x), num(plot.y+plot.h)), faint, 1, "")
		b.text(x, plot.y+plot.h+15, t.Format(format), st)
	}
}

// stacks draws bars and areas upon each other, the largest at the bottom.
func (b *board) stacks(all []shape, plot frame, y func(float64) float64, low float64) {
	var base []float64
	for _, s := range all {
		if s.display == "line" {
			continue
		}
		for len(base) < len(s.values) {
			base = append(base, math.Max(low, 0))
		}
		w := plot.w / float64(len(s.values))
		var up, down strings.Builder
		for i, v := range s.values {
			x := plot.x + float64(i)*w
			if s.display == "bars" {
				if v > 0 {
					fmt.Fprintf(&up, "M%s %sV%sh%sV%sz", num(x+0.5), num(y(base[i])), num(y(base[i]+v)), num(w-1), num(y(base[i])))
				}
			} else {
				verb := "L"
				if i == 0 {
					verb = "M"
				}
				if math.IsNaN(v) {
					v = 0
				}
				fmt.Fprintf(&up, "%s%s %s", verb, num(x+w/2), num(y(base[i]+v)))
				back := len(s.values) - 1 - i
				fmt.Fprintf(&down, "L%s %s", num(plot.x+float64(back)*w+w/2), num(y(base[back])))
			}
		}
		for i, v := range s.values {
			if !math.IsNaN(v) {
				base[i] += v
			}
		}
		if s.display == "bars" {
			b.area(up.String(), s.color, 0.9)
			continue
		}
		b.area(up.String()+down.String()+"z", s.color, 0.35)
		b.path(up.String(), s.color, 1.4, "")
	}
}

// linePath is the way of a line, which breaks where there is no point.
func linePath(values []float64, plot frame, y func(float64) float64) string {
	var out strings.Builder
	verb := "M"
	for i, v := range values {
		if math.IsNaN(v) {
			verb = "M"
			continue
		}
		fmt.Fprintf(&out, "%s%s %s", verb, num(plot.x+plot.w*(float64(i)+0.5)/float64(len(values))), num(y(v)))
		verb = "L"
	}
	return out.String()
}

// releases draws a line where a prompt version was released.
func (b *board) releases(plot frame, span time.Duration) {
	for _, r := range releases {
		ago := end.Sub(r.at)
		if ago > span {
			continue
		}
		x := plot.x + plot.w*(1-float64(ago)/float64(span))
		b.path(fmt.Sprintf("M%s %sV%s", num(x), num(plot.y-3), num(plot.y+plot.h)), release, 1.3, ` stroke-dasharray="3 3"`)
		if span <= 24*time.Hour {
			b.text(x-3, plot.y-5, r.version, textStyle{size: 9.5, color: release, halo: true})
		}
	}
}
