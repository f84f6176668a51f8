package boards

import (
	"encoding/json"
	"errors"
	"fmt"
)

// columns is the width of the grid of a dashboard.
const columns = 12

// dashboard is what the drawing needs of a dashboard's JSON. Whether the rest is as
// Datadog's API takes it is not looked at here.
type dashboard struct {
	Title     string     `json:"title"`
	Variables []variable `json:"template_variables"`
	Widgets   []widget   `json:"widgets"`
}

type variable struct {
	Name   string `json:"name"`
	Prefix string `json:"prefix"`
}

type widget struct {
	Definition definition `json:"definition"`
	Layout     layout     `json:"layout"`
}

// layout is a widget's place on the grid. Rows begin at 0 in each group.
type layout struct {
	X      int `json:"x"`
	Y      int `json:"y"`
	Width  int `json:"width"`
	Height int `json:"height"`
}

type definition struct {
	Type       string    `json:"type"`
	Title      string    `json:"title"`
	Background string    `json:"background_color"`
	Widgets    []widget  `json:"widgets"`
	Content    string    `json:"content"`
	Requests   []request `json:"requests"`
	Time       struct {
		LiveSpan string `json:"live_span"`
	} `json:"time"`
	Yaxis struct {
		Zero bool   `json:"include_zero"`
		Min  string `json:"min"`
		Max  string `json:"max"`
	} `json:"yaxis"`
	Markers []marker `json:"markers"`
	Events  []struct {
		Q string `json:"q"`
	} `json:"events"`
	Precision *int `json:"precision"`
	Sparkline *struct {
		Type string `json:"type"`
	} `json:"timeseries_background"`
}

type marker struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

type request struct {
	Display  string    `json:"display_type"`
	Format   string    `json:"response_format"`
	Queries  []query   `json:"queries"`
	Formulas []formula `json:"formulas"`
	Style    struct {
		Palette  string `json:"palette"`
		LineType string `json:"line_type"`
	} `json:"style"`
	Conditions []condition `json:"conditional_formats"`
	Sort       struct {
		Count   int `json:"count"`
		OrderBy []struct {
			Index int    `json:"index"`
			Order string `json:"order"`
		} `json:"order_by"`
	} `json:"sort"`
}

type query struct {
	Name       string `json:"name"`
	Query      string `json:"query"`
	Aggregator string `json:"aggregator"`
}

type formula struct {
	Formula string `json:"formula"`
	Alias   string `json:"alias"`
	Number  struct {
		Unit struct {
			Name string `json:"unit_name"`
		} `json:"unit"`
	} `json:"number_format"`
	Limit *struct {
		Count int    `json:"count"`
		Order string `json:"order"`
	} `json:"limit"`
	Conditions []condition `json:"conditional_formats"`
}

func (f formula) unit() string { return f.Number.Unit.Name }

type condition struct {
	Comparator string  `json:"comparator"`
	Value      float64 `json:"value"`
	Palette    string  `json:"palette"`
}

// holds reports whether a value meets the condition. A value that is not known meets
// none.
func (c condition) holds(v float64) bool {
	switch c.Comparator {
	case ">":
		return v > c.Value
	case ">=":
		return v >= c.Value
	case "<":
		return v < c.Value
	case "<=":
		return v <= c.Value
	}
	return v == c.Value
}

// read decodes a dashboard, whose widgets all have to be in groups.
func read(raw []byte) (dashboard, error) {
	var d dashboard
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, err
	}
	if len(d.Widgets) == 0 {
		return d, errors.New("widgets: none")
	}
	for i, w := range d.Widgets {
		if w.Definition.Type != "group" {
			return d, fmt.Errorf("widgets[%d]: of type %q: put it into a group", i, w.Definition.Type)
		}
	}
	return d, nil
}

// name says which widget it is to a person.
func (w widget) name() string {
	if w.Definition.Title != "" {
		return w.Definition.Title
	}
	return w.Definition.Type
}
