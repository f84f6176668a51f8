package lint

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/telemetry"
)

// dashboard is what the checks read of a dashboard's document.
type dashboard struct {
	Title       string           `json:"title"`
	Description string           `json:"description"`
	LayoutType  string           `json:"layout_type"`
	ReflowType  string           `json:"reflow_type"`
	Tags        []string         `json:"tags"`
	Variables   []map[string]any `json:"template_variables"`
	Widgets     []widget         `json:"widgets"`
}

type widget struct {
	Definition definition `json:"definition"`
	Layout     *layout    `json:"layout"`
}

type definition struct {
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Widgets  []widget  `json:"widgets"`
	Requests []request `json:"requests"`
	Markers  []marker  `json:"markers"`
	Query    string    `json:"query"`   // of manage_status
	Content  string    `json:"content"` // of note
	Events   []struct {
		Query string `json:"q"`
	} `json:"events"`
}

type request struct {
	Format   string          `json:"response_format"`
	Queries  []source        `json:"queries"`
	Query    *source         `json:"query"` // of distribution and heatmap
	Formulas []formula       `json:"formulas"`
	Formats  []format        `json:"conditional_formats"`
	Old      json.RawMessage `json:"q"`
}

type source struct {
	DataSource string `json:"data_source"`
	Name       string `json:"name"`
	Query      string `json:"query"`
	Aggregator string `json:"aggregator"`

	parsed expression
}

type formula struct {
	Formula string   `json:"formula"`
	Formats []format `json:"conditional_formats"`
}

// format colours a number that a comparison holds for.
type format struct {
	Palette string  `json:"palette"`
	Value   float64 `json:"value"`
}

// marker is a line across a graph.
type marker struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// widgetTypes are the widgets that the checks understand, with the form of their data.
var widgetTypes = map[string]string{
	"group": "", "note": "", "manage_status": "", "event_stream": "", "list_stream": "",
	"timeseries": "timeseries", "heatmap": "timeseries",
	"query_value": "scalar", "toplist": "scalar", "query_table": "scalar", "treemap": "scalar", "sunburst": "scalar",
	"distribution": "histogram",
}

// variable matches a template variable in any text of a widget.
var variable = regexp.MustCompile(`\$([A-Za-z_]\w*)`)

// releaseTags are the tags of the events by which workers tell of a new prompt version.
var releaseTags = []string{"evalworker_event", "prompt_name", "prompt_version", "env", "service", "version"}

// dashboard checks one dashboard. name is that of its file, without .json.
func (t table) dashboard(name string, b []byte) (*dashboard, fault.List) {
	faults := document(b)
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		faults.Add("", err.Error(), "want one object as Datadog's API takes it, with lists of requests")
		return nil, faults
	}
	if !strings.HasPrefix(d.Title, "evalworker: ") {
		faults.Add("title", fmt.Sprintf("%q", d.Title), "begin it with `evalworker: `")
	}
	lines := strings.Split(d.Description, "\n")
	if id := "evalworker_id:" + name; lines[len(lines)-1] != id {
		faults.Add("description", "the last line is not "+id, "the program finds its dashboards by it")
	}
	if d.LayoutType != "ordered" || d.ReflowType != "fixed" {
		faults.Add("layout_type", d.LayoutType+", "+d.ReflowType, "want layout_type ordered and reflow_type fixed")
	}
	for i, tag := range d.Tags {
		if !strings.HasPrefix(tag, "team:") {
			faults.Add(fmt.Sprintf("tags[%d]", i), fmt.Sprintf("%q", tag), "a dashboard takes tags of team: only")
		}
	}
	prefixes, some := d.variables(b)
	faults = append(faults, some...)
	faults.Under("widgets", t.widgets(d.Widgets, prefixes))
	faults.Under("widgets", layouts(d.Widgets, columns, true))
	return &d, faults
}

// variables checks the template variables, and returns their prefixes by name.
func (d *dashboard) variables(b []byte) (prefixes map[string]string, faults fault.List) {
	prefixes = map[string]string{}
	var names []string
	for i, v := range d.Variables {
		path := fmt.Sprintf("template_variables[%d]", i)
		name, _ := v["name"].(string)
		if slices.Contains(names, name) {
			faults.Add(path, "$"+name+" is declared twice", "")
		}
		names = append(names, name)
		if prefix, _ := v["prefix"].(string); prefix != "" {
			prefixes[name] = prefix
		}
		if _, old := v["default"]; old {
			faults.Add(path+".default", "deprecated", "write defaults, a list")
		}
		if defaults, _ := v["defaults"].([]any); len(defaults) == 0 {
			faults.Add(path+".defaults", "there is none", `write ["*"] for all`)
		}
	}
	var document struct {
		Widgets any `json:"widgets"`
	}
	if err := json.Unmarshal(b, &document); err != nil {
		return prefixes, faults // of the whole document; told already
	}
	used := map[string]bool{}
	strs(document.Widgets, "widgets", func(path, s string) {
		for _, match := range variable.FindAllStringSubmatch(s, -1) {
			used[match[1]] = true
			if !slices.Contains(names, match[1]) {
				faults.Add(path, "the template variable "+match[0]+" is not declared", fault.Suggest(match[1], names, "declare it in template_variables"))
			}
		}
	})
	for i, name := range names {
		if !used[name] {
			faults.Add(fmt.Sprintf("template_variables[%d]", i), "$"+name+" is used nowhere", "leave it out, or filter by it")
		}
	}
	return prefixes, faults
}

// strs calls f with each string of a decoded document and its path.
func strs(v any, path string, f func(path, s string)) {
	switch v := v.(type) {
	case string:
		f(path, v)
	case []any:
		for i, one := range v {
			strs(one, fmt.Sprintf("%s[%d]", path, i), f)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			strs(v[key], path+"."+key, f)
		}
	}
}

func (t table) widgets(all []widget, prefixes map[string]string) (faults fault.List) {
	for i := range all {
		path := fmt.Sprintf("[%d].definition", i)
		d := &all[i].Definition
		form, ok := widgetTypes[d.Type]
		switch {
		case !ok:
			faults.Add(path+".type", "the checks do not know the widget "+d.Type, fault.Suggest(d.Type, slices.Sorted(maps.Keys(widgetTypes)), ""))
			continue
		case d.Title == "" && d.Type != "note":
			faults.Add(path+".title", "there is none", "say what the widget shows, with its unit")
		case form != "" && len(d.Requests) == 0:
			faults.Add(path+".requests", "there is none", "")
		}
		if d.Type == "manage_status" {
			for _, tag := range regexp.MustCompile(`\w+:\w+`).FindAllString(strings.TrimPrefix(d.Query, "tag:"), -1) {
				if tag != "managed_by:evalworker" && !strings.HasPrefix(tag, "evalworker_id:") {
					faults.Add(path+".query", tag+" is no tag of the monitors", "want tag:(managed_by:evalworker)")
				}
			}
		}
		faults.Under(path+".content", t.quoted(d.Content))
		for j, e := range d.Events {
			faults.Under(fmt.Sprintf("%s.events[%d].q", path, j), overlay(e.Query, prefixes))
		}
		for j := range d.Requests {
			faults.Under(fmt.Sprintf("%s.requests[%d]", path, j), t.request(&d.Requests[j], form, prefixes))
		}
		faults.Under(path+".widgets", t.widgets(d.Widgets, prefixes))
	}
	return faults
}

// overlay checks the search for events that a graph shows as lines.
func overlay(query string, prefixes map[string]string) (faults fault.List) {
	if !strings.Contains(query, "evalworker_event:prompt_release") {
		faults.Add("", query, "the program sends events with tags:evalworker_event:prompt_release only")
	}
	for _, match := range variable.FindAllStringSubmatch(query, -1) {
		if prefix := prefixes[match[1]]; !slices.Contains(releaseTags, prefix) {
			faults.Add("", match[0]+" filters by "+prefix+", which the events do not carry", fault.Suggest(prefix, releaseTags, ""))
		}
	}
	return faults
}

// request checks the queries of a request, its formulas, and that they know each other.
func (t table) request(r *request, form string, prefixes map[string]string) (faults fault.List) {
	if r.Old != nil {
		faults.Add("q", "the old form of queries", "write queries and formulas")
	}
	if r.Query != nil {
		faults.Under("query", t.source(r.Query, "", prefixes))
		return faults
	}
	if form != r.Format && (form == "scalar" || form == "timeseries") {
		faults.Add("response_format", fmt.Sprintf("%q", r.Format), "the widget needs "+form)
	}
	byName := map[string]*source{}
	var names []string
	for i := range r.Queries {
		q := &r.Queries[i]
		path := fmt.Sprintf("queries[%d]", i)
		faults.Under(path, t.source(q, form, prefixes))
		if slices.Contains(names, q.Name) {
			faults.Add(path+".name", "two queries have the name "+q.Name, "")
		}
		names = append(names, q.Name)
		byName[q.Name] = q
	}
	used := map[string]bool{}
	for i, f := range r.Formulas {
		var found fault.List
		e, err := parseExpression(f.Formula)
		if err != nil {
			found.Add("", err.Error(), "in "+f.Formula)
		}
		for _, name := range referencesOf(e) {
			used[name] = true
			if byName[name] == nil {
				found.Add("", "there is no query "+name, fault.Suggest(name, names, "the request has no queries"))
			}
		}
		if len(metricsOf(e)) > 0 {
			found.Add("", "a metric in a formula", "make it a query, and name that")
		}
		whole := inserted(e, byName)
		found = append(found, t.parts(e, nil)...)
		found = append(found, sameGroups(metricsOf(whole))...)
		found = append(found, weighted(whole)...)
		faults.Under(fmt.Sprintf("formulas[%d].formula", i), found)
	}
	for i, name := range names {
		if !used[name] {
			faults.Add(fmt.Sprintf("queries[%d].name", i), "no formula uses "+name, "leave the query out, or name it in a formula")
		}
	}
	return faults
}

// inserted returns a formula with its queries in the place of their names.
func inserted(e expression, byName map[string]*source) expression {
	switch e := e.(type) {
	case reference:
		if q := byName[string(e)]; q != nil {
			return q.parsed
		}
	case *operation:
		return &operation{e.op, inserted(e.left, byName), inserted(e.right, byName)}
	case *function:
		f := &function{name: e.name}
		for _, arg := range e.args {
			f.args = append(f.args, inserted(arg, byName))
		}
		return f
	}
	return e
}

// source checks one query of a widget whose data have a form.
func (t table) source(q *source, form string, prefixes map[string]string) (faults fault.List) {
	if q.DataSource != "metrics" {
		return nil // other searches have a language of their own; their variables are checked
	}
	e, err := parseExpression(q.Query)
	if err != nil {
		faults.Add("query", err.Error(), "in "+q.Query)
		return faults
	}
	q.parsed = e
	faults.Under("query", t.expression(e, prefixes))
	for _, name := range referencesOf(e) {
		faults.Add("query", name+" is no metric", "write AGGREGATION:METRIC{FILTERS}")
	}
	if form != "scalar" {
		return faults
	}
	for _, m := range metricsOf(e) {
		known, ok := t.find(m.name)
		want := ""
		switch {
		case !ok:
		case known.Type == telemetry.TypeCount || m.aggregation == "count":
			want = "sum" // of all intervals, or a ratio would be one of means
		case slices.Contains(percentiles, m.aggregation):
			want = "percentile"
		case known.Type == telemetry.TypeDistribution:
			want = m.aggregation
		}
		if want != "" && q.Aggregator != want || q.Aggregator == "" {
			faults.Add("aggregator", fmt.Sprintf("%q of %s:%s", q.Aggregator, m.aggregation, m.name), "want "+want+": Datadog shows no data, or a number that is none of the whole time")
		}
	}
	return faults
}
