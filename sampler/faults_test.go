package sampler_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

func TestDefaultConfigIsValid(t *testing.T) {
	t.Parallel()
	if faults := sampler.DefaultConfig().Validate(); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestAllFaultsAtOnce: one list of faults is enough to fix the policy.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	cfg := sampler.Config{DefaultRate: 1.5, Rules: []sampler.Rule{
		{Rate: math.NaN()},
		{Name: "default", Rate: -0.1},
		{Name: "a", When: `featur == "x" || modell == "y"`, Rate: 1e-12, Evaluators: []string{"corectness", "zzz"}},
		{Name: "a", When: "status ==", Rate: 1},
		{Name: strings.Repeat("n", 65), Rate: 1},
		{Name: "two\nlines", Rate: 1},
	}}
	evs := []sampler.Evaluator{
		{Name: "correctness", Judge: true, Rate: new(2.0)}, {Name: "correctness", When: "status"}, {Name: ""}, {Name: "user_feedback"},
	}
	_, err := sampler.New(cfg, evs)
	want := []string{
		"default_rate: 1.5 is out of range",
		"rules[0].name: missing",
		"rules[0].rate: NaN is out of range",
		`rules[1].name: "default" is reserved for scores that no rule chose`,
		"rules[1].rate: -0.1 is out of range",
		"rules[2].rate: 1e-12 is out of range",
		`1:1: rules[2].when: unknown field "featur"; did you mean "feature"?`,
		`1:18: rules[2].when: unknown field "modell"; did you mean "model"?`,
		`rules[3].name: "a" is already the name of rules[2]`,
		"rules[3].when: unexpected token EOF",
		"rules[4].name: 65 bytes long",
		"rules[5].name: has a character that cannot be printed",
		"evaluators[0].rate: 2 is out of range",
		`evaluators[1].name: "correctness" is already the name of evaluators[0]`,
		"evaluators[1].when: expected bool, but got string",
		"evaluators[2].name: missing",
		`evaluators[3].name: "user_feedback" is the name under which`,
		`rules[2].evaluators[0]: unknown evaluator "corectness"; did you mean "correctness"?`,
		`rules[2].evaluators[1]: unknown evaluator "zzz"; want one of correctness`,
	}
	got := faultsOf(t, err)
	if names := "want one of correctness, "; strings.Contains(got.Error(), names) {
		t.Error("a fault offers names that are faults themselves")
	}
	for _, w := range want {
		if !strings.Contains(got.Error(), w) {
			t.Errorf("no fault says %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d faults, want %d:\n%v", len(got), len(want), got)
	}
	for _, f := range got {
		if f.Expected == "" {
			t.Errorf("no hint how to mend: %s", f)
		}
	}
	policyOnly := cfg.Validate()
	if len(policyOnly) != 12 {
		t.Errorf("Validate finds %d faults, want the 12 that need no evaluators:\n%v", len(policyOnly), policyOnly)
	}
}

func TestConditionFaults(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, when, want string }{
		{"unknown field", `tier == "x"`, `1:1: rules[0].when: unknown field "tier"; want one of ` + strings.Join(event.DimNames(), ", ")},
		{"alias of a field", `env == "prod"`, `unknown field "env"; did you mean "environment"?`},
		{"a field outside the envelope", `status == "ok" && latency_ms > 3`, `1:19: rules[0].when: unknown field "latency_ms"; want one of`},
		{"on the third line", "status == \"ok\" &&\n\n  \"é\" == fature", `3:10: rules[0].when: unknown field "fature"; did you mean "feature"?`},
		{"syntax", `status == "ok`, "1:14: rules[0].when: literal not terminated"},
		{"types", `status == 3`, "1:8: rules[0].when: invalid operation: == (mismatched types string and int)"},
		{"not boolean", `len(status)`, "expected bool, but got int"},
		{"the time", `now().Hour() > 3`, "fields have no parts|methods are not part"},
		{"another function", `any(["a"], # == "a")`, "the function any is not part of conditions; want one of lower"},
		{"misspelt function", `uper(status) == "A"`, `the function uper is not part of conditions; did you mean "upper"?`},
		{"own function", `run(status)`, `the function run is not part of conditions`},
		{"conversion", `int(user_rating) < 3`, "the function int is not part of conditions"},
		{"arithmetic", `len(status) + 1 > 2`, "the operator + is not part of conditions"},
		{"negative", `-len(status) > 2`, "arithmetic is not part of conditions"},
		{"index", `status[0] == "a"`, "fields have no parts"},
		{"slice", `status[0:1] == "a"`, "this form of expression is not part of conditions"},
		{"environment", `$env["status"] == "a"`, "fields have no parts"},
		{"variable", `let x = status; x == "a"`, "this form of expression is not part of conditions"},
		{"sequence", `true; status == "a"`, "this form of expression is not part of conditions"},
		{"nil", `status == nil`, `nil is not part of conditions; an absent field is the empty string: want feature == ""`},
		{"coalesce", `(status ?? "a") == "a"`, "the operator ?? is not part of conditions"},
		{"map", `status in {"a": 1}`, "the right side of in is not a list"},
		{"in text", `status in "abc"`, "the right side of in is not a list"},
		{"mixed list", `status in ["a", 1]`, "the list holds something other than text"},
		{"list of fields", `status in [model]`, "the list holds something other than text"},
		{"list outside in", `len(["a"]) == 1`, "a list cannot be compared here"},
		{"range", `len(1..10000000) > 1`, "the operator .. is not part of conditions"},
		{"fraction", `len(status) > 1.5`, "fractions are not part of conditions"},
		{"pattern from a field", `status matches model`, "the pattern of matches is not a constant"},
		{"bad pattern", `status matches "("`, "1:16: rules[0].when: error parsing regexp: missing closing )"},
		{"too long", `status == "` + strings.Repeat("x", 4096) + `"`, "longer than 4096 bytes"},
		{"too many parts", strings.Repeat(`!`, 600) + "true", "exceeds maximum allowed nodes"},
		{"wrong number of arguments", `len(status, model) > 1`, "invalid number of arguments|too many arguments"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sampler.New(sampler.Config{Rules: []sampler.Rule{{Name: "r", When: tt.when, Rate: 1}}}, nil)
			faults := faultsOf(t, err)
			if len(faults) == 0 {
				t.Fatal("accepted")
			}
			ok := false
			for want := range strings.SplitSeq(tt.want, "|") {
				ok = ok || strings.Contains(faults.Error(), want)
			}
			if !ok {
				t.Errorf("faults:\n%v\nwant %s", faults, tt.want)
			}
			for _, f := range faults {
				if f.Path != "rules[0].when" || f.Expected == "" {
					t.Errorf("fault %#v has a wrong path or no hint", f)
				}
			}
		})
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	d := dims("environment", "prod", "feature", "support_agent", "model", "Claude-Sonnet", "user_rating", "2", "tenant_tier", " gold ")
	original := d
	tests := map[string]bool{
		"":                                      true,
		"  \n":                                  true,
		`true`:                                  true,
		`feature == "support_agent"`:            true,
		`feature == "Support_Agent"`:            false,
		`status == ""`:                          true,
		`status != "error"`:                     true,
		`feature in ["a", "support_agent"]`:     true,
		`feature not in ["a", "support_agent"]`: false,
		`feature in []`:                         false,
		`user_rating in ["down", "1", "2"]`:     true,
		`model startsWith "claude"`:             false,
		`lower(model) startsWith "claude"`:      true,
		`hasPrefix(upper(model), "CLAUDE")`:     true,
		`hasSuffix(model, "Sonnet")`:            true,
		`model endsWith "Sonnet" and not (status == "")`: false,
		`feature contains "port"`:                        true,
		`feature matches "^support_(agent|bot)$"`:        true,
		`feature matches "^support_bot"`:                 false,
		`not (feature matches "bot")`:                    true,
		`len(feature) > 5 && len(status) == 0`:           true,
		`trim(tenant_tier) == "gold"`:                    true,
		`tenant_tier | trim() == "gold"`:                 true,
		`feature >= "support" && feature < "t"`:          true,
		`environment == "prod" ? feature == "x" : true`:  false,
		`!(environment == "dev") || model == "x"`:        true,
		`"agent" in ["agent"]`:                           true,
	}
	for when, want := range tests {
		s := newSampler(t, sampler.Config{}, []sampler.Evaluator{{Name: "e", When: when}})
		env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r", Dims: d}
		if got := len(s.Decide(&env).Picks) == 1; got != want {
			t.Errorf("%s is %t, want %t", when, got, want)
		}
	}
	if diff := cmp.Diff(original, d); diff != "" {
		t.Error("a decision changed the envelope")
	}
}
