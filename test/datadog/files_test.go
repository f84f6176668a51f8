package datadog

import (
	"strings"
	"testing"
)

// TestFiles: each monitor and dashboard, as it lies there, is what the API takes.
func TestFiles(t *testing.T) {
	t.Parallel()
	for kind, typ := range kinds {
		for name, document := range files(t, kind) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if err := decode(document, typ); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

const monitor = `{
  "name": "n", "type": "query alert", "query": "avg(last_5m):avg:m{*} > 1", "message": "m", "tags": ["a:b"], "priority": 2,
  "options": {"thresholds": {"critical": 1, "warning": 0.5}, "require_full_window": false, "new_group_delay": 60}
}`

const dashboard = `{
  "title": "t", "description": "d", "layout_type": "ordered", "reflow_type": "fixed", "tags": ["team:a"],
  "template_variables": [{"name": "env", "prefix": "env", "available_values": [], "defaults": ["*"]}],
  "widgets": [{
    "definition": {"type": "group", "layout_type": "ordered", "title": "g", "widgets": [
      {"definition": {"type": "note", "content": "c", "text_align": "left"}, "layout": {"x": 0, "y": 0, "width": 3, "height": 2}},
      {"definition": {"type": "timeseries", "title": "s", "requests": [
        {"response_format": "timeseries", "display_type": "line", "queries": [{"data_source": "metrics", "name": "a", "query": "avg:m{$env}"}], "formulas": [{"formula": "a"}]}
      ]}, "layout": {"x": 3, "y": 0, "width": 3, "height": 2}},
      {"definition": {"type": "query_value", "requests": [
        {"response_format": "scalar", "queries": [{"data_source": "metrics", "name": "a", "query": "avg:m{$env}", "aggregator": "avg"}], "formulas": [{"formula": "a"}],
         "conditional_formats": [{"comparator": ">", "value": 1, "palette": "white_on_red"}]}
      ]}, "layout": {"x": 0, "y": 2, "width": 3, "height": 2}}
    ]},
    "layout": {"x": 0, "y": 0, "width": 6, "height": 5}
  }]
}`

// TestChecksCanFail: what the decoding is there to find is found, with its place.
func TestChecksCanFail(t *testing.T) {
	t.Parallel()
	documents := map[string]string{"monitors": monitor, "dashboards": dashboard}
	for kind, document := range documents {
		if err := decode([]byte(document), kinds[kind]); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	for name, row := range map[string]struct{ kind, old, new, place string }{
		"an unknown field":             {"monitors", `"message"`, `"mesage"`, "$.mesage: Monitor has no such field"},
		"an unknown field inside":      {"monitors", `"critical"`, `"critcal"`, "$.options.thresholds.critcal: "},
		"no query":                     {"monitors", `"query": "avg(last_5m):avg:m{*} > 1", `, ``, "$: the required field query is missing"},
		"an unknown type":              {"monitors", `query alert`, `qery alert`, `$.type: "qery alert" is no MonitorType`},
		"text for a number":            {"monitors", `"priority": 2`, `"priority": "2"`, "$.priority: "},
		"null":                         {"monitors", `"message": "m"`, `"message": null`, "$.message: null"},
		"an object for a list":         {"monitors", `["a:b"]`, `{"a": "b"}`, "$.tags: "},
		"a field of the dashboard":     {"dashboards", `"reflow_type"`, `"reflowtype"`, "$.reflowtype: Dashboard has no such field"},
		"a value of the dashboard":     {"dashboards", `"fixed"`, `"fix"`, `$.reflow_type: "fix" is no DashboardReflowType`},
		"a widget without layout":      {"dashboards", `"layout": {"x": 3, "y": 0, "width": 3, "height": 2}`, `"layout": {"x": 3, "y": 0, "width": 3}`, "$.widgets[0].definition.widgets[1].layout: the required field height is missing"},
		"a widget that does not exist": {"dashboards", `"type": "note"`, `"type": "notes"`, "$.widgets[0].definition.widgets[0].definition.type: there is no WidgetDefinition with notes"},
		"a widget's field":             {"dashboards", `"text_align"`, `"textalign"`, "$.widgets[0].definition.widgets[0].definition.textalign: NoteWidgetDefinition has no such field"},
		"a request's value":            {"dashboards", `"display_type": "line"`, `"display_type": "lines"`, "$.widgets[0].definition.widgets[1].definition.requests[0].display_type: "},
		"a query's source":             {"dashboards", `"data_source": "metrics", "name": "a", "query": "avg:m{$env}"}`, `"data_source": "metric", "name": "a", "query": "avg:m{$env}"}`, "$.widgets[0].definition.widgets[1].definition.requests[0].queries[0].data_source: there is no "},
		"a query's field":              {"dashboards", `"aggregator"`, `"agregator"`, "$.widgets[0].definition.widgets[2].definition.requests[0].queries[0].agregator: "},
		"a colour that does not exist": {"dashboards", `"white_on_red"`, `"white_on_pink"`, "$.widgets[0].definition.widgets[2].definition.requests[0].conditional_formats[0].palette: "},
		"a variable without name":      {"dashboards", `"name": "env", `, ``, "$.template_variables[0]: the required field name is missing"},
		"no JSON":                      {"dashboards", `"title": "t",`, `"title": "t"`, "invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(documents[row.kind], row.old) != 1 {
				t.Fatalf("%q stands there %d times", row.old, strings.Count(documents[row.kind], row.old))
			}
			err := decode([]byte(strings.Replace(documents[row.kind], row.old, row.new, 1)), kinds[row.kind])
			if err == nil || !strings.Contains(err.Error(), row.place) {
				t.Errorf("error %v, want one with %q", err, row.place)
			}
		})
	}
}
