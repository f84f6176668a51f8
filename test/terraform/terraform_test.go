package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/evalworker/evalworker/internal/datadog"
)

func list(texts ...string) cty.Value {
	var out []cty.Value
	for _, s := range texts {
		out = append(out, cty.StringVal(s))
	}
	return cty.ListVal(out)
}

func numbers(of map[string]float64) cty.Value {
	out := map[string]cty.Value{}
	for k, v := range of {
		out[k] = cty.NumberFloatVal(v)
	}
	return cty.MapVal(out)
}

func env() map[string]cty.Value { return map[string]cty.Value{"env": cty.StringVal("prod")} }

// TestSameAsTheCommand: the module makes of the same files what the command makes.
func TestSameAsTheCommand(t *testing.T) {
	t.Parallel()
	defaults := datadog.DefaultConfig()
	full := datadog.Config{
		Notify: []string{"@slack-llm", "@team-a&b"}, Docs: "https://example.com/docs", Team: "llm", Evaluators: []string{"correctness", "house_style"},
		Without:    []string{"lag", "cost"},
		Thresholds: map[string]float64{"provider-errors": 5.5, "retrieval-score": 0.3, "quality-drop": -7, "quality-drop-house_style": -8, "latency-p95": 12000},
		Warnings:   map[string]float64{"provider-errors": 1, "retrieval-score": 0.9},
	}
	for name, tt := range map[string]struct {
		values datadog.Values
		vars   map[string]cty.Value
	}{
		"defaults": {datadog.Values{Config: defaults, Env: "prod", Known: []string{"correctness"}}, env()},
		"all": {datadog.Values{Config: full, Env: "staging"}, map[string]cty.Value{
			"env": cty.StringVal("staging"), "notify": list(full.Notify...), "docs": cty.StringVal(full.Docs), "team": cty.StringVal(full.Team),
			"evaluators": list(full.Evaluators...), "without": list(full.Without...), "thresholds": numbers(full.Thresholds), "warnings": numbers(full.Warnings),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, _, err := datadog.Render(tt.values)
			if err != nil {
				t.Fatal(err)
			}
			m := load(t, tt.vars)
			for _, kind := range datadog.Kinds() {
				got := map[string]any{}
				decode(t, m.locals[kind.Folder()], &got)
				want := map[string]any{}
				for _, o := range objects {
					if o.Kind == kind {
						var body any
						if err := json.Unmarshal(o.JSON(), &body); err != nil {
							t.Fatal(err)
						}
						want[o.Name] = body
					}
				}
				if len(got) != len(want) || len(want) < 3 {
					t.Errorf("%d %ss, want %d", len(got), kind, len(want))
				}
				for name := range want {
					if a, b := line(t, got[name]), line(t, want[name]); a != b {
						t.Errorf("%s %s:\n%s\nthe command makes\n%s", kind, name, a, b)
					}
				}
			}
		})
	}
}

func decode(t *testing.T, v cty.Value, out any) {
	t.Helper()
	text, err := ctyjson.Marshal(v, v.Type())
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func line(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestNamesAndFiles: everything that is used is declared, everything declared is used and
// described, and each file that is read exists.
func TestNamesAndFiles(t *testing.T) {
	t.Parallel()
	m := load(t, env())
	used := map[string]bool{}
	for _, b := range m.blocks {
		walk(b.Body, func(e hclsyntax.Expression) { use(used, e) })
		if b.Type != "variable" && b.Type != "output" {
			continue
		}
		if a := b.Body.Attributes["description"]; a == nil {
			t.Errorf("%s %q has no description", b.Type, b.Labels)
		}
	}
	for _, e := range m.exprs {
		use(used, e)
	}
	for name := range m.vars {
		if !used["var."+name] {
			t.Errorf("variable %s is not used", name)
		}
	}
	for name := range m.locals {
		if !used["local."+name] {
			t.Errorf("local %s is not used", name)
		}
	}
	for name := range used {
		kind, rest, _ := strings.Cut(name, ".")
		ok := kind == "each" || kind == "path" || kind == "var" && m.blocks["variable "+rest] != nil || kind == "local" && m.exprs[rest] != nil
		if ok || m.blocks["resource "+kind+" "+rest] != nil || !strings.Contains("var local datadog", strings.SplitN(kind, "_", 2)[0]) {
			continue
		}
		t.Errorf("%s is not declared", name)
	}
	names, _ := filepath.Glob(folder + "/*.tf")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\$\{path\.module\}/([^"$]*)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(folder, found[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func use(used map[string]bool, e hclsyntax.Expression) {
	for _, ref := range e.Variables() {
		used[ref.RootName()+"."+second(ref)] = true
	}
}

func walk(body *hclsyntax.Body, visit func(hclsyntax.Expression)) {
	for name, a := range body.Attributes {
		if name != "type" {
			visit(a.Expr)
		}
	}
	for _, b := range body.Blocks {
		walk(b.Body, visit)
	}
}

// TestObjectives: each objective has its alerts, which refer to its id, and one that
// notifies only when there are verdicts enough.
func TestObjectives(t *testing.T) {
	t.Parallel()
	vars := env()
	vars["objectives"], vars["notify"] = numbers(map[string]float64{"correctness": 95, "tone": 90}), list("@slack-llm")
	all := load(t, vars).resources()
	burn := all["resource datadog_monitor burn"]["correctness-fast"]
	if got, want := burn.GetAttr("query").AsString(), `burn_rate("id of quality correctness").over("30d").long_window("1h").short_window("5m") > 14.4`; got != want {
		t.Errorf("query %s, want %s", got, want)
	}
	composite := all["resource datadog_monitor burn_with_traffic"]
	if got, want := composite["tone-slow"].GetAttr("query").AsString(), "id of burn tone-slow && id of verdicts tone-slow"; got != want || len(composite) != 6 {
		t.Errorf("%d, query %s, want %s", len(composite), got, want)
	}
	for name, resource := range map[string]string{"burn_with_traffic": "@slack-llm", "burn": "", "verdicts": ""} {
		message := all["resource datadog_monitor "+name]["tone-medium"].GetAttr("message").AsString()
		if notifies := strings.Contains(message, "@slack-llm"); notifies != (resource != "") {
			t.Errorf("%s notifies: %t", name, notifies)
		}
	}
	if got := all["resource datadog_monitor verdicts"]["tone-slow"].GetAttr("query").AsString(); !strings.HasPrefix(got, "sum(last_1d):sum:llm.eval.count{env:prod AND eval:tone AND ") {
		t.Errorf("query %s", got)
	}
	vars["least_verdicts"] = cty.NumberIntVal(0)
	all = load(t, vars).resources()
	if len(all["resource datadog_monitor burn_with_traffic"]) != 0 || !strings.Contains(all["resource datadog_monitor burn"]["tone-fast"].GetAttr("message").AsString(), "@slack-llm") {
		t.Error("without a guard the burn rate itself notifies")
	}
}

// TestMetrics: only metrics that are named are set, scores by evaluator, and percentiles
// where a graph asks for them.
func TestMetrics(t *testing.T) {
	t.Parallel()
	if all := load(t, env()).resources(); len(all["resource datadog_metric_metadata metric"]) != 0 {
		t.Error("metrics are set that nobody named")
	}
	vars := env()
	vars["metrics"] = list("*")
	all := load(t, vars).resources()
	metrics, percentiles := all["resource datadog_metric_metadata metric"], all["resource datadog_metric_tag_configuration percentiles"]
	if m, ok := metrics["llm.eval.correctness"]; !ok || m.GetAttr("type").AsString() != "distribution" || m.GetAttr("unit").AsString() != "fraction" {
		t.Errorf("llm.eval.correctness: %#v", m)
	}
	if m, ok := metrics["llm.eval.count"]; !ok || !m.GetAttr("unit").IsNull() {
		t.Errorf("llm.eval.count: %#v", m)
	}
	if _, ok := percentiles["llm.latency_ms"]; !ok || len(percentiles) >= len(metrics)/2 {
		t.Errorf("percentiles of %d metrics, llm.latency_ms among them: %t", len(percentiles), ok)
	}
	vars["metrics"] = list("llm.latency_ms")
	if all := load(t, vars).resources(); len(all["resource datadog_metric_metadata metric"]) != 1 {
		t.Error("one metric was named")
	}
}

// TestPreconditions: a warning beyond the threshold and the name of no monitor end a plan.
func TestPreconditions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key    string
		values map[string]float64
		unmet  int
	}{
		"good":                  {"warnings", map[string]float64{"provider-errors": 1, "retrieval-score": 0.9}, 0},
		"above":                 {"warnings", map[string]float64{"provider-errors": 4}, 1},
		"below":                 {"warnings", map[string]float64{"retrieval-score": 0.1}, 1},
		"equal":                 {"warnings", map[string]float64{"provider-errors": 3}, 1},
		"a name of no monitor":  {"thresholds", map[string]float64{"provider-erors": 3}, -1}, // at every monitor
		"another sign":          {"thresholds", map[string]float64{"quality-drop": 9}, 1},
		"a warning's sign":      {"warnings", map[string]float64{"provider-errors": -1}, 1},
		"of an evaluator's own": {"thresholds", map[string]float64{"quality-drop": -9}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := env()
			vars[tt.key] = numbers(tt.values)
			monitors := load(t, vars).resources()["resource datadog_monitor_json monitor"]
			unmet := 0
			for _, m := range monitors {
				text := ""
				for _, c := range conditions(m) {
					if c.False() {
						text = fmt.Sprint(text, "unmet ")
					}
				}
				if text != "" {
					unmet++
				}
			}
			if want := tt.unmet; unmet != want && (want != -1 || unmet != len(monitors)) {
				t.Errorf("%d monitors have an unmet precondition, want %d", unmet, want)
			}
		})
	}
}

func conditions(resource cty.Value) (all []cty.Value) {
	for name, block := range resource.AsValueMap() {
		if !strings.HasPrefix(name, "lifecycle ") {
			continue
		}
		for _, p := range block.AsValueMap() {
			all = append(all, p.GetAttr("condition"))
		}
	}
	return all
}
