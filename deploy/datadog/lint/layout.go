package lint

import (
	"fmt"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// columns is the width of a dashboard.
const columns = 12

// layout is where a widget lies: x from the left and y from the top, counted from 0.
type layout struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

func (l layout) String() string {
	return fmt.Sprintf("x %d to %d, y %d to %d", l.X, l.X+l.Width, l.Y, l.Y+l.Height)
}

// overlaps reports whether two widgets share a place.
func (l layout) overlaps(o layout) bool {
	return l.X < o.X+o.Width && o.X < l.X+l.Width && l.Y < o.Y+o.Height && o.Y < l.Y+l.Height
}

// layouts checks that widgets lie inside a grid of a width and on no other widget. A
// group is as wide as the dashboard or half as wide, and has a line for its title above
// its widgets; groups stand in no other group.
func layouts(all []widget, width int, top bool) (faults fault.List) {
	for i, w := range all {
		path := fmt.Sprintf("[%d]", i)
		if w.Layout == nil {
			faults.Add(path+".layout", "there is none", "every widget needs one, because reflow_type is fixed")
			continue
		}
		l := *w.Layout
		if l.X < 0 || l.Y < 0 || l.Width < 1 || l.Height < 1 || l.X+l.Width > width {
			faults.Add(path+".layout", l.String(), fmt.Sprintf("want a place inside %d columns", width))
		}
		for j, other := range all[:i] {
			if other.Layout != nil && l.overlaps(*other.Layout) {
				faults.Add(path+".layout", fmt.Sprintf("%s, which overlaps with [%d], %s", l, j, *other.Layout), "move one of them")
			}
		}
		if w.Definition.Type != "group" {
			continue
		}
		switch {
		case !top:
			faults.Add(path+".definition", "a group in a group", "Datadog takes groups at the top only")
		case l.Width != columns/2 && l.Width != columns:
			faults.Add(path+".layout.width", fmt.Sprint(l.Width), "a group is 6 or 12 columns wide")
		}
		bottom := 0
		for _, inner := range w.Definition.Widgets {
			if inner.Layout != nil {
				bottom = max(bottom, inner.Layout.Y+inner.Layout.Height)
			}
		}
		if l.Height != bottom+1 {
			faults.Add(path+".layout.height", fmt.Sprint(l.Height), fmt.Sprintf("want %d: the widgets and the title", bottom+1))
		}
		faults.Under(path+".definition.widgets", layouts(w.Definition.Widgets, l.Width, false))
	}
	return faults
}
