package boards

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/telemetry"
)

const root = "../../.."

// forEach calls check with each board of this repository.
func forEach(t *testing.T, check func(t *testing.T, raw []byte, d dashboard)) {
	t.Helper()
	n := 0
	err := each(filepath.Join(root, "deploy/datadog/dashboards"), func(id string, raw []byte) error {
		n++
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			d, err := read(raw)
			if err != nil {
				t.Fatal(err)
			}
			check(t, raw, d)
		})
		return nil
	})
	if err != nil || n < 4 {
		t.Fatalf("%d boards: %v", n, err)
	}
}

// widgets returns the widgets of all groups.
func (d dashboard) widgets() (all []widget) {
	for _, g := range d.Widgets {
		all = append(all, g.Definition.Widgets...)
	}
	return all
}

// TestFilters: a filter at the top of a board filters every query whose metric carries
// the tag, so that no graph goes on showing everything while the others show one prompt.
func TestFilters(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, _ []byte, d dashboard) {
		used := map[string]bool{}
		for _, w := range d.widgets() {
			for _, r := range w.Definition.Requests {
				for _, q := range r.Queries {
					parsed, err := parse(q.Query)
					if err != nil {
						t.Fatal(err)
					}
					own := strings.HasPrefix(parsed.metric.Name, "evalworker.")
					for _, v := range d.Variables {
						carries := slices.Contains(append([]string{"env", "service"}, parsed.metric.Tags...), v.Prefix)
						fixed := slices.ContainsFunc(parsed.filters, func(f filter) bool { return f.tag == v.Prefix })
						// A judge's model is not the request's.
						if !carries || fixed || own && v.Prefix == "model" {
							continue
						}
						if !strings.Contains(q.Query, "$"+v.Name) {
							t.Errorf("%s: query %s is not filtered by $%s", w.name(), q.Query, v.Name)
						}
						used[v.Name] = true
					}
				}
			}
		}
		for _, v := range d.Variables {
			if !used[v.Name] {
				t.Errorf("$%s filters nothing", v.Name)
			}
		}
	})
}

// TestBoardsExplainThemselves: a board begins with its question, how it is read, what to
// do and what it cannot know, and each graph over time shows the releases.
func TestBoardsExplainThemselves(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, _ []byte, d dashboard) {
		first := d.Widgets[0].Definition.Widgets[0].Definition
		for _, part := range []string{"## ", "?\n", "**Read it**", "**When it is bad**", "${docs}/runbooks/", "**It cannot know**", "nobody published"} {
			if !strings.Contains(first.Content, part) {
				t.Errorf("the first widget is a %s without %q", first.Type, part)
			}
		}
		for _, w := range d.widgets() {
			if w.Definition.Type != "timeseries" {
				continue
			}
			if e := w.Definition.Events; len(e) != 1 || e[0].Q != "tags:evalworker_event:prompt_release" {
				t.Errorf("%s: events %v, want the releases of prompts", w.name(), e)
			}
		}
	})
}

// TestLinks: what boards link to is there, and docs/dashboards.md has each board with its
// picture.
func TestLinks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs/dashboards.md"))
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	forEach(t, func(t *testing.T, raw []byte, d dashboard) {
		name := strings.TrimPrefix(d.Title, "evalworker: ")
		for _, want := range []string{"\n## " + strings.ToUpper(name[:1]) + name[1:] + "\n", "(images/dashboard-" + name + ".svg)"} {
			if !strings.Contains(string(page), want) {
				t.Errorf("docs/dashboards.md has no %q", want)
			}
		}
		for _, m := range regexp.MustCompile(`\$\{docs\}/([^)#\\]+)(?:#([\w-]+))?`).FindAllStringSubmatch(string(raw), -1) {
			target, err := os.ReadFile(filepath.Join(root, "docs", m[1]))
			if err != nil {
				t.Error(err)
				continue
			}
			found := m[2] == ""
			for _, h := range heading.FindAllStringSubmatch(string(target), -1) {
				found = found || strings.ReplaceAll(strings.ToLower(h[1]), " ", "-") == m[2]
			}
			if !found {
				t.Errorf("docs/%s has no heading #%s", m[1], m[2])
			}
		}
	})
}

// TestPicturesAreWhole: a picture is well-formed, and the same for the same board.
func TestPicturesAreWhole(t *testing.T) {
	t.Parallel()
	monitors := []Monitor{{ID: "invalid-json", Name: "[evalworker] JSON & more"}}
	forEach(t, func(t *testing.T, raw []byte, d dashboard) {
		svg, err := Draw(raw, monitors)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Draw(raw, monitors)
		if string(again) != string(svg) {
			t.Error("a second drawing differs")
		}
		if strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf") {
			t.Error("a place is no number")
		}
		dec := xml.NewDecoder(strings.NewReader(string(svg)))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for _, w := range d.widgets() {
			if title := strings.Fields(w.Definition.Title); len(title) > 0 && !strings.Contains(string(svg), escape(title[0])) {
				t.Errorf("the picture lacks %q", w.Definition.Title)
			}
		}
	})
}

// TestTheIncidentIsSeen: the bad version is the one that stands out, and no other does.
func TestTheIncidentIsSeen(t *testing.T) {
	t.Parallel()
	b := board{world: newWorld()}
	rate := request{Queries: []query{
		{Name: "passed", Query: "sum:llm.eval.weighted{eval:correctness,outcome:pass} by {prompt_version}.as_count()", Aggregator: "sum"},
		{Name: "failed", Query: "sum:llm.eval.weighted{eval:correctness,outcome:fail} by {prompt_version}.as_count()", Aggregator: "sum"},
	}, Formulas: []formula{{Formula: "100 * default_zero(passed) / (default_zero(passed) + default_zero(failed))", Alias: "pass"}}}
	results, err := b.run(rate, spans["1d"], true)
	if err != nil {
		t.Fatal(err)
	}
	for version, values := range results[0].table.groups {
		if bad := values[0] < 85; bad != (version == "2026-06-01.3") {
			t.Errorf("%s passes %.1f %%", version, values[0])
		}
	}
}

// TestSimulation: series carry the tags that the table of metrics names, or a picture
// would show groups that nobody gets.
func TestSimulation(t *testing.T) {
	t.Parallel()
	simulated := 0
	for _, m := range telemetry.Metrics() {
		name := strings.ReplaceAll(m.Name, "<name>", "correctness")
		flows, err := newWorld().flows(name)
		if err != nil {
			continue // no board asks for it, or drawing that one fails
		}
		simulated++
		for _, f := range flows {
			for tag := range f.tags {
				if !slices.Contains(m.Tags, tag) && tag != "env" && tag != "service" {
					t.Errorf("%s is simulated with the tag %s, which it does not carry", name, tag)
				}
				if !slices.Contains(tagOrder, tag) {
					t.Errorf("%s: tagOrder lacks %s", name, tag)
				}
			}
		}
	}
	if simulated < 30 {
		t.Errorf("%d metrics are simulated", simulated)
	}
}

// one returns a board with one widget in one group.
func one(t *testing.T, definition string, width int) []byte {
	t.Helper()
	raw := fmt.Sprintf(`{"title":"t","template_variables":[{"name":"env","prefix":"env"}],"widgets":[{"layout":{"x":0,"y":0,"width":12,"height":5},
		"definition":{"type":"group","title":"g","background_color":"gray","widgets":[{"layout":{"x":0,"y":0,"width":%d,"height":4},"definition":%s}]}}]}`, width, definition)
	if !json.Valid([]byte(raw)) {
		t.Fatalf("not JSON: %s", raw)
	}
	return []byte(raw)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	graph := func(query, formula string) string {
		return `{"type":"timeseries","title":"Requests","requests":[{"display_type":"line","queries":[{"name":"a","query":"` + query + `"}],
			"formulas":[{"formula":"` + formula + `","alias":"a"}]}]}`
	}
	if _, err := Draw(one(t, graph("sum:llm.requests{$env} by {model}.as_count()", "a"), 6), nil); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		definition string
		want       string
	}{
		"unknown widget":    {`{"type":"heatmap","title":"h"}`, `a widget of type "heatmap" is not known here`},
		"unknown metric":    {graph("sum:llm.request{$env}.as_count()", "a"), `metric "llm.request" is not in docs/metrics.md`},
		"unknown filter":    {graph("sum:llm.requests{*}.as_count()", "a"), `filter "*" is neither`},
		"no brace":          {graph("sum:llm.requests{$env.as_count()", "a"), "is not of the form"},
		"unknown query":     {graph("sum:llm.requests{$env}.as_count()", "b"), `"b" is no query of this request`},
		"unknown function":  {graph("sum:llm.requests{$env}.as_count()", "twice(a)"), "is not known here"},
		"broken formula":    {graph("sum:llm.requests{$env}.as_count()", "a +"), `formula "a +"`},
		"long title":        {`{"type":"timeseries","title":"` + strings.Repeat("requests ", 12) + `"}`, "shorten it"},
		"long note":         {`{"type":"note","content":"` + strings.Repeat("words without end ", 90) + `"}`, "shorten it or make the note higher"},
		"unknown live span": {`{"type":"timeseries","title":"a","time":{"live_span":"9y"}}`, `live_span "9y"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Draw(one(t, tt.definition, 6), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
