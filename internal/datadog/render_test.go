package datadog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/evalworker/evalworker/internal/datadog"
)

// TestRender: every placeholder is filled in, the JSON is valid and the same each time,
// and < > & stay as they are.
func TestRender(t *testing.T) {
	t.Parallel()
	first, again := rendered(t, values()), rendered(t, values())
	for i, o := range first {
		text := o.JSON()
		if !json.Valid(text) || !bytes.Equal(text, again[i].JSON()) {
			t.Errorf("%s: not valid, or not the same twice:\n%s", o.Name, text)
		}
		if bytes.Contains(text, []byte("${")) || bytes.Contains(text, []byte(`\u00`)) {
			t.Errorf("%s: a placeholder or an escape is left:\n%s", o.Name, text)
		}
	}
	got := string(first[slices.IndexFunc(first, func(o datadog.Object) bool { return o.Name == "provider-errors" })].JSON())
	for _, part := range []string{
		`"[evalworker] Provider errors (prod)"`, `sum:llm.errors{env:prod} by {provider}`, `* 100 > 3"`, `"{{value}} > {{threshold}} & rising.`,
		`https://github.com/evalworker/evalworker/blob/main/docs/runbooks/provider-errors.md`, `@slack-llm @pagerduty"`, `"team:llm"`, `"priority": 2`,
	} {
		if !strings.Contains(got, part) {
			t.Errorf("%s is missing in\n%s", part, got)
		}
	}
	v := values()
	v.Team, v.Notify = "", nil
	for _, o := range rendered(t, v) {
		if strings.Contains(string(o.JSON()), `"team:`) {
			t.Errorf("%s has a tag without a value", o.Name)
		}
	}
}

// TestThresholds: another number changes the query and the options; recovery follows the
// threshold; and one that the warning passes is a fault.
func TestThresholds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		thresholds, warnings map[string]float64
		monitor, query       string
		limits               string
		fault                string
	}{
		"own":             {nil, nil, "provider-errors", "> 3", `{"critical":3,"critical_recovery":2,"warning":2.5}`, ""},
		"higher":          {map[string]float64{"provider-errors": 5}, nil, "provider-errors", "> 5", `{"critical":5,"warning":2.5}`, ""},
		"fraction":        {map[string]float64{"provider-errors": 3.25}, nil, "provider-errors", "> 3.25", `{"critical":3.25,"warning":2.5}`, ""},
		"tiny":            {map[string]float64{"provider-errors": 1e-7}, map[string]float64{"provider-errors": 1e-8}, "provider-errors", "> 0.0000001", `{"critical":0.0000001,"warning":0.00000001}`, ""},
		"both":            {map[string]float64{"provider-errors": 1}, map[string]float64{"provider-errors": 0.5}, "provider-errors", "> 1", `{"critical":1,"warning":0.5}`, ""},
		"warning alone":   {nil, map[string]float64{"provider-errors": 1}, "provider-errors", "> 3", `{"critical":3,"critical_recovery":2,"warning":1}`, ""},
		"lower":           {map[string]float64{"correctness-low": 70}, nil, "correctness-low", "< 70", `{"critical":70,"warning":85}`, ""},
		"below warning":   {map[string]float64{"provider-errors": 2}, nil, "", "", "", "thresholds.provider-errors: the monitor would warn at 2.5, which is not reached before its threshold 2; want a threshold above the warning, or set the other one too: datadog.monitors.warnings or --warning provider-errors"},
		"above warning":   {map[string]float64{"correctness-low": 90}, nil, "", "", "", "want a threshold below the warning"},
		"warning beyond":  {nil, map[string]float64{"provider-errors": 3}, "", "", "", "warnings.provider-errors: the monitor would warn at 3"},
		"other sign":      {map[string]float64{"provider-errors": -5}, nil, "", "", "", "thresholds.provider-errors: -5 is on the other side of 0 than this monitor's own threshold 3, so it would alert always or never; want a number such as 5"},
		"warning's sign":  {nil, map[string]float64{"correctness-low": -85}, "", "", "", "warnings.correctness-low: -85 is on the other side of 0 than this monitor's own threshold 80"},
		"for one of many": {map[string]float64{"correctness-low": 70, "correctness-low-tone": 60}, nil, "correctness-low-tone", "< 60", `{"critical":60,"warning":85}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := values()
			v.Thresholds, v.Warnings, v.Evaluators = tt.thresholds, tt.warnings, []string{"correctness", "tone"}
			objects, _, err := datadog.RenderFrom(files(), v)
			if tt.fault != "" {
				wantError(t, err, tt.fault)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if o.Name != tt.monitor {
					continue
				}
				limits, _ := json.Marshal(o.Body["options"].(map[string]any)["thresholds"])
				if query := o.Body["query"].(string); !strings.HasSuffix(query, tt.query) || string(limits) != tt.limits {
					t.Errorf("query %q, thresholds %s, want %q, %s", query, limits, tt.query, tt.limits)
				}
				return
			}
			t.Errorf("no monitor %s", tt.monitor)
		})
	}
}

// TestEvaluators: a monitor of quality is made for each evaluator that is wanted, and left
// out when the configuration has none.
func TestEvaluators(t *testing.T) {
	t.Parallel()
	v := values()
	v.Known = nil
	_, omitted, err := datadog.RenderFrom(files(), v)
	if err != nil || len(omitted) != 1 || omitted[0].Name != "correctness-low" || !strings.Contains(omitted[0].Reason, "no evaluator correctness") {
		t.Errorf("left out %+v, error %v", omitted, err)
	}
	v.Evaluators = []string{"tone", "correctness"}
	objects := rendered(t, v)
	got := map[string]string{}
	for _, o := range objects {
		got[o.Name] = string(o.JSON())
	}
	if len(got) != 4 {
		t.Fatalf("%d objects, want 4", len(got))
	}
	for _, part := range []string{
		"[evalworker] tone: The tone of {{prompt_name.name}} falls (prod)", "eval:tone,outcome:pass", "eval:tone} by", `"tone is low: `, `"eval:tone"`,
		`"evalworker_id:correctness-low-tone"`, "/runbooks/correctness-low.md",
	} {
		if !strings.Contains(got["correctness-low-tone"], part) {
			t.Errorf("%s is missing in\n%s", part, got["correctness-low-tone"])
		}
	}
	if own := got["correctness-low"]; !strings.Contains(own, "eval:correctness") || !strings.Contains(own, `"evalworker_id:correctness-low"`) || strings.Contains(own, "tone") {
		t.Errorf("the monitor's own evaluator:\n%s", own)
	}
}

// TestEvaluatorOfAQuery: only a name that a configuration can have counts.
func TestEvaluatorOfAQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"avg(last_1h):avg:llm.eval.tone{env:prod} < 0.5":                        "tone",
		"sum(last_1h):sum:llm.eval.count{eval:tone,env:prod} < 1":               "tone",
		"sum(last_1h):sum:llm.eval.weighted{env:prod} by {eval} < 1":            "",
		"sum(last_1h):sum:llm.eval.weighted{eval:user_feedback} < 1":            "",
		"sum(last_1h):sum:llm.eval.tone{*} + sum:llm.eval.count{eval:pii} < 1":  "",
		"sum(last_1h):sum:llm.eval.tone{*} + sum:llm.eval.count{eval:tone} < 1": "tone",
		"max(last_10m):max:evalworker.unaccounted{*} > 0":                       "",
	} {
		if got := datadog.Evaluator(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// TestBrokenFiles: a file that cannot be filled in is named.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name": "${environment}"}`: "unknown placeholder ${environment}",
		`{"name": `:                  "unexpected EOF",
	} {
		_, _, err := datadog.RenderFrom(fstest.MapFS{"monitors/one.json": {Data: []byte(text)}}, values())
		wantError(t, err, "monitors/one.json", want)
	}
}

// TestFilesOfTheProgram: each file that the program carries renders for any evaluator,
// keeps its tags and its mark, and takes another threshold.
func TestFilesOfTheProgram(t *testing.T) {
	t.Parallel()
	v := values()
	v.Evaluators = []string{"correctness", "tone"}
	objects, omitted, err := datadog.Render(v)
	if err != nil || len(omitted) > 0 {
		t.Fatalf("left out %+v, error %v", omitted, err)
	}
	seen := map[string]bool{}
	for _, o := range objects {
		what := fmt.Sprintf("%s %s", o.Kind, o.Name)
		if seen[o.Title()] {
			t.Errorf("%s: two objects are named %q", what, o.Title())
		}
		seen[o.Title()] = true
		if o.Kind == datadog.Dashboard {
			description := o.Body["description"].(string)
			if !strings.HasSuffix(description, "\nevalworker_id:"+o.Name) {
				t.Errorf("%s: its description ends with %q", what, description)
			}
			continue
		}
		tags := fmt.Sprint(o.Body["tags"])
		for _, tag := range []string{"managed_by:evalworker", "evalworker_id:" + o.Name, "env:prod", "team:llm"} {
			if !strings.Contains(" "+strings.Trim(tags, "[]")+" ", " "+tag+" ") {
				t.Errorf("%s: no tag %s in %s", what, tag, tags)
			}
		}
		if !strings.Contains(o.Title(), "prod") {
			t.Errorf("%s: its name does not say the environment, so two of them look alike", what)
		}
	}
	for _, name := range datadog.Names(datadog.Monitor) {
		v := v
		v.Thresholds, v.Warnings = map[string]float64{name: 12345}, map[string]float64{name: 1}
		if _, _, err := datadog.Render(v); err != nil && !strings.Contains(err.Error(), "would warn") && !strings.Contains(err.Error(), "other side of 0") {
			t.Errorf("%s takes no threshold: %v", name, err)
		}
	}
}

// TestConfig: a mistake in the section has its place and mend.
func TestConfig(t *testing.T) {
	t.Parallel()
	c := datadog.Config{
		Notify: []string{"slack", "@a b"}, Docs: "docs/", Team: "My Team", Evaluators: []string{"Tone", "tone", "tone"}, Without: []string{"nothing"},
		Thresholds: map[string]float64{"provider-erors": 1}, Warnings: map[string]float64{"zzz": 1},
	}
	wantError(t, c.Validate(), "notify[0]", "notify[1]", "docs", "team", "evaluators[0]", "evaluators[2]: tone is there twice", "without[0]", `thresholds.provider-erors: no monitor has this name; did you mean "provider-errors"?`, "warnings.zzz")
	if faults := datadog.DefaultConfig().Validate(); len(faults) > 0 {
		t.Error(faults)
	}
}
