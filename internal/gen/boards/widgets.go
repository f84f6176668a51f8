package boards

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// palettes are the grounds and inks of conditional formats.
var palettes = map[string]struct{ ground, ink string }{
	"white_on_red": {"#c4314b", paper}, "white_on_yellow": {"#c98a00", paper}, "white_on_green": {"#2f8f5b", paper},
	"black_on_light_red": {"#f9d3d9", ink}, "black_on_light_yellow": {"#fdeec2", ink}, "black_on_light_green": {"#d3efdf", ink},
}

// colored returns the ground and ink of a value; plain ones when no condition holds.
func colored(conditions []condition, v float64) (groundColor, inkColor string, err error) {
	for _, c := range conditions {
		if c.holds(v) {
			p, ok := palettes[c.Palette]
			if !ok {
				return "", "", fmt.Errorf("palette %q is not known here", c.Palette)
			}
			return p.ground, p.ink, nil
		}
	}
	return paper, ink, nil
}

// queryValue draws one large figure, with its course behind it.
func (b *board) queryValue(d definition, f frame) error {
	span, ok := spans[d.Time.LiveSpan]
	if !ok || len(d.Requests) != 1 || len(d.Requests[0].Formulas) != 1 {
		return fmt.Errorf("one request with one formula and a live_span of %q", d.Time.LiveSpan)
	}
	results, err := b.run(d.Requests[0], span, true)
	if err != nil {
		return err
	}
	value, ok := results[0].table.groups[""]
	if !ok {
		return fmt.Errorf("the value has groups or no data")
	}
	back, front, err := colored(d.Requests[0].Conditions, value[0])
	if err != nil {
		return err
	}
	b.rect(f.x, f.y, f.w, f.h, 4, back, "#d5dae0")
	titleStyle := textStyle{size: 11.5, color: front, bold: true}
	y := f.y + 17
	for _, l := range wrap(d.Title, f.w-16, titleStyle) {
		b.text(f.x+8, y, l, titleStyle)
		y += 14
	}
	if y > f.y+48 {
		return fmt.Errorf("the title takes more than two lines: shorten it")
	}
	if d.Sparkline != nil {
		course, err := b.run(d.Requests[0], span, false)
		if err != nil {
			return err
		}
		b.sparkline(course[0].table.groups[""], f, front)
	}
	st := textStyle{size: 25, color: front, bold: true, anchor: "middle"}
	b.text(f.x+f.w/2, y+(f.y+f.h-y)/2+6, number(value[0], results[0].formula.unit(), d.Precision), st)
	return nil
}

// sparkline draws the course of a value in the lower part of its frame.
func (b *board) sparkline(values []float64, f frame, color string) {
	low, top := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			low, top = math.Min(low, v), math.Max(top, v)
		}
	}
	if top == low {
		return
	}
	plot := frame{f.x + 1, f.y + f.h*0.55, f.w - 2, f.h*0.45 - 1}
	y := func(v float64) float64 { return plot.y + plot.h*(1-(v-low)/(top-low)) }
	d := linePath(values, plot, y)
	if color == ink {
		color = palette[0]
	}
	b.path(d, color, 1.2, ` stroke-opacity="0.45"`)
}

// queryTable draws the groups as rows, with a column a tag and one a formula.
func (b *board) queryTable(d definition, f frame) error {
	if len(d.Requests) != 1 {
		return fmt.Errorf("one request")
	}
	r := d.Requests[0]
	results, err := b.run(r, spans[d.Time.LiveSpan], true)
	if err != nil {
		return err
	}
	by := results[0].by
	keys := rows(r, results)
	head, cell := textStyle{size: 11, color: faint, bold: true}, textStyle{size: 12, color: ink}
	// Tags take what their longest value needs, and formulas share the rest.
	starts := make([]float64, len(by))
	x := f.x + padding
	for i, tag := range by {
		starts[i] = x
		w := width(tag, head)
		for _, k := range keys {
			w = math.Max(w, width(strings.Split(k, "\x00")[i], cell))
		}
		x += w + 18
	}
	each := (f.x + f.w - padding - x) / float64(len(results))
	for i, tag := range by {
		b.text(starts[i], f.y+14, tag, head)
	}
	head.anchor, cell.anchor = "end", "end"
	for i, res := range results {
		if width(res.formula.Alias, head) > each-8 {
			return fmt.Errorf("column %q has room for %.0f pixels and needs %.0f: shorten its alias", res.formula.Alias, each-8, width(res.formula.Alias, head))
		}
		b.text(x+each*float64(i+1)-6, f.y+14, res.formula.Alias, head)
	}
	const high = 22.0
	y := f.y + 22
	for n, k := range keys {
		if rest := float64(len(keys) - n); y+high > f.y+f.h-4 || rest > 1 && y+high+18 > f.y+f.h {
			b.text(f.x+padding, y+13, fmt.Sprintf("%d more rows below", len(keys)-n), textStyle{size: 11, color: faint})
			break
		}
		b.path(fmt.Sprintf("M%s %sH%s", num(f.x+padding), num(y), num(f.x+f.w-padding)), line, 1, "")
		for i, v := range strings.Split(k, "\x00") {
			b.text(starts[i], y+15, v, textStyle{size: 12, color: ink})
		}
		for i, res := range results {
			v := res.table.at(k, 0)
			back, front, err := colored(res.formula.Conditions, v)
			if err != nil {
				return err
			}
			if back != paper {
				b.rect(x+each*float64(i)+each*0.35, y+2, each*0.65, high-4, 3, back, "")
			}
			cell.color = front
			b.text(x+each*float64(i+1)-6, y+15, number(v, res.formula.unit(), nil), cell)
		}
		y += high
	}
	return nil
}

// rows returns the keys of the groups in the order of the request.
func rows(r request, results []result) []string {
	index, ascending := 0, false
	if len(r.Sort.OrderBy) > 0 {
		index, ascending = r.Sort.OrderBy[0].Index, r.Sort.OrderBy[0].Order == "asc"
	}
	by := results[min(index, len(results)-1)].table
	var keys []string
	for k, v := range by.groups {
		if !math.IsNaN(v[0]) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y string) int {
		c := cmp.Compare(by.at(x, 0), by.at(y, 0))
		if !ascending {
			c = -c
		}
		return cmp.Or(c, strings.Compare(x, y))
	})
	if r.Sort.Count > 0 {
		keys = keys[:min(len(keys), r.Sort.Count)]
	}
	return keys
}

// toplist draws the groups as bars, the largest first.
func (b *board) toplist(d definition, f frame) error {
	if len(d.Requests) != 1 {
		return fmt.Errorf("one request")
	}
	results, err := b.run(d.Requests[0], spans[d.Time.LiveSpan], true)
	if err != nil {
		return err
	}
	res := results[0]
	keys := rows(d.Requests[0], results)
	most := 0.0
	for _, k := range keys {
		most = math.Max(most, res.table.at(k, 0))
	}
	st := textStyle{size: 12, color: ink}
	y := f.y + 4
	for _, k := range keys {
		if y+24 > f.y+f.h {
			break
		}
		v := res.table.at(k, 0)
		room := f.w - 2*padding
		b.rect(f.x+padding, y, math.Max(2, room*v/most), 20, 2, "#cfdff8", "")
		amount := number(v, res.formula.unit(), nil)
		b.text(f.x+f.w-padding-4, y+14, amount, textStyle{size: 12, color: ink, bold: true, anchor: "end"})
		b.text(f.x+padding+6, y+14, fit(strings.ReplaceAll(k, "\x00", " "), room-24-width(amount, st), st), st)
		y += 24
	}
	return nil
}

// alerting says since when a monitor of the simulated day is in alert.
var alerting = map[string]time.Time{
	"invalid-json": release3.Add(10 * time.Minute),
	"quality-drop": release3.Add(2 * time.Hour),
}

// manageStatus draws the list of monitors, those in alert first.
func (b *board) manageStatus(f frame) error {
	list := slices.Clone(b.monitors)
	slices.SortStableFunc(list, func(x, y Monitor) int {
		return cmp.Compare(rank(x), rank(y))
	})
	bad := 0
	for _, m := range list {
		bad += 1 - rank(m)
	}
	x, y := f.x+padding, f.y+6
	for _, count := range []struct {
		n     int
		name  string
		color string
	}{{bad, "ALERT", "#c4314b"}, {len(list) - bad, "OK", "#2f8f5b"}} {
		label := fmt.Sprintf("%d %s", count.n, count.name)
		st := textStyle{size: 12, color: paper, bold: true}
		b.rect(x, y, width(label, st)+16, 22, 3, count.color, "")
		b.text(x+8, y+15.5, label, st)
		x += width(label, st) + 24
	}
	y += 32
	st := textStyle{size: 10, color: ink}
	for n, m := range list {
		if y+17 > f.y+f.h-4 {
			b.text(f.x+padding, y+10, fmt.Sprintf("%d more below", len(list)-n), textStyle{size: 11, color: faint})
			break
		}
		color := "#2f8f5b"
		if rank(m) == 0 {
			color = red
		}
		b.rect(f.x+padding, y+2, 9, 9, 4.5, color, "")
		name := wrap(strings.TrimPrefix(m.Name, "[evalworker] "), f.w-2*padding-18, st)
		if len(name) > 1 {
			name[0] += " …"
		}
		b.text(f.x+padding+16, y+10.5, name[0], st)
		y += 18
	}
	return nil
}

func rank(m Monitor) int {
	if _, ok := alerting[m.ID]; ok {
		return 0
	}
	return 1
}
