package sampler_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/sampler"
)

// dims returns dimensions of names and values in turn.
func dims(pairs ...string) (d event.Dims) {
	for i := 0; i < len(pairs); i += 2 {
		dim, _ := event.DimNamed(pairs[i])
		d[dim] = pairs[i+1]
	}
	return d
}

// picks returns the plan's picks as "name by rule" to probability.
func picks(p eval.Plan) map[string]float64 {
	out := map[string]float64{}
	for _, pick := range p.Picks {
		out[pick.Name+" by "+pick.Rule] = pick.Probability
	}
	return out
}

// lucky is a request id whose R under the salt "evalworker" is below 1 % of the
// range, so that every evaluator with a rate of at least 1 % picks it.
const lucky = "req-11"

func TestPlan(t *testing.T) {
	t.Parallel()
	evs := []sampler.Evaluator{
		{Name: "format"},
		{Name: "length", Rate: new(0.5)},
		{Name: "correctness", Judge: true},
		{Name: "safety", Judge: true, Rate: new(0.2), When: `environment == "prod"`},
	}
	tests := []struct {
		name     string
		rules    []sampler.Rule
		dims     event.Dims
		upstream string
		state    string
		want     map[string]float64
	}{
		{
			name: "defaults and own rates",
			dims: dims("environment", "prod"),
			want: map[string]float64{"format by default": 1, "length by evaluator": 0.5, "correctness by default": 0.05, "safety by evaluator": 0.2},
		},
		{
			name: "an evaluator's own condition",
			dims: dims("environment", "dev"),
			want: map[string]float64{"format by default": 1, "length by evaluator": 0.5, "correctness by default": 0.05},
		},
		{
			name:  "a rule cannot lift an evaluator's own condition",
			rules: []sampler.Rule{{Name: "all", Rate: 1}},
			want:  map[string]float64{"format by all": 1, "length by all": 1, "correctness by all": 1},
		},
		{
			name: "the largest rate of the rules that match, the first of equals",
			rules: []sampler.Rule{
				{Name: "a", Rate: 0.1},
				{Name: "b", Rate: 0.3, When: `feature == "x"`},
				{Name: "c", Rate: 0.3, When: `feature != ""`},
				{Name: "d", Rate: 0.9, When: `feature == "y"`},
			},
			dims: dims("feature", "x"),
			want: map[string]float64{"format by b": 0.3, "length by b": 0.3, "correctness by b": 0.3},
		},
		{
			name:  "a rule about some evaluators",
			rules: []sampler.Rule{{Name: "a", Rate: 0.25, Evaluators: []string{"correctness"}}},
			want:  map[string]float64{"format by default": 1, "length by evaluator": 0.5, "correctness by a": 0.25},
		},
		{
			name:  "a rule may lower and switch off",
			rules: []sampler.Rule{{Name: "off", Rate: 0, Evaluators: []string{"format"}}, {Name: "low", Rate: 0.02, Evaluators: []string{"length", "correctness"}}},
			want:  map[string]float64{"length by low": 0.02, "correctness by low": 0.02},
		},
		{
			name:  "a tracer's threshold says nothing where all requests are published",
			state: "dd=s:1;o:rum, ot=rv:d234567890abcd;th:c",
			want:  map[string]float64{"format by default": 1, "length by evaluator": 0.5, "correctness by default": 0.05},
		},
		{
			name:     "upstream sampling is multiplied in",
			upstream: sampler.UpstreamTraces,
			state:    "dd=s:1;o:rum, ot=rv:d234567890abcd;th:c",
			want:     map[string]float64{"format by default": 0.25, "length by evaluator": 0.125, "correctness by default": 0.0125},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := sampler.DefaultConfig()
			cfg.Rules = tt.rules
			if tt.upstream != "" {
				cfg.Upstream = tt.upstream
			}
			s := newSampler(t, cfg, evs)
			env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: lucky, Tracestate: tt.state, Dims: tt.dims}
			plan := s.Decide(&env)
			if d := cmp.Diff(tt.want, picks(plan), approximately); d != "" {
				t.Errorf("picks (-want +got):\n%s", d)
			}
			for i, p := range plan.Picks {
				if evs[p.Evaluator].Name != p.Name {
					t.Errorf("pick %d: index %d is not %q", i, p.Evaluator, p.Name)
				}
				if i > 0 && plan.Picks[i-1].Evaluator >= p.Evaluator {
					t.Error("picks are not in the order of the configuration")
				}
			}
			if plan.Revision != s.Revision() {
				t.Errorf("revision = %q, want %q", plan.Revision, s.Revision())
			}
		})
	}
}

var approximately = cmp.Comparer(func(a, b float64) bool { return a-b < 1e-15 && b-a < 1e-15 })

// TestCandidatesDoNotDependOnTheDraw: a plan names the evaluators that may run for an event
// like this one, whether it picks them or not, from the body and from the headers.
func TestCandidatesDoNotDependOnTheDraw(t *testing.T) {
	t.Parallel()
	s := newSampler(t, sampler.Config{
		DefaultRate: 0.3, Upstream: sampler.UpstreamTraces,
		Rules: []sampler.Rule{{Name: "off", When: `feature == "x"`, Rate: 0, Evaluators: []string{"third"}}},
	}, []sampler.Evaluator{{Name: "first", Judge: true}, {Name: "second", Judge: true, When: `feature != "x"`}, {Name: "third"}, {Name: "fourth", Judge: true}})
	want := []eval.Pick{
		{Evaluator: 0, Name: "first", Probability: 0.3, Rule: "default"},
		{Evaluator: 3, Name: "fourth", Probability: 0.3, Rule: "default"},
	}
	picked := 0
	const events = 200
	for i := range events {
		e := event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint(i)), Feature: "x", TraceContext: event.TraceContext{"tracestate": "ot=th:8"}}
		env := e.Envelope()
		byHeaders, ok := s.DecideHeaders(e.Headers())
		if !ok {
			t.Fatal("the headers do not decide")
		}
		for how, plan := range map[string]eval.Plan{"body": s.Decide(&env), "headers": byHeaders} {
			if d := cmp.Diff(want, plan.Candidates); d != "" || plan.Upstream != 0.5 {
				t.Fatalf("%s: upstream %g, candidates (-want +got):\n%s", how, plan.Upstream, d)
			}
			if len(plan.Picks) > 0 {
				picked++
			}
		}
	}
	if picked == 0 || picked == 2*events {
		t.Errorf("%d plans with picks, want some", picked)
	}
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	s := newSampler(t, sampler.Config{Upstream: sampler.UpstreamTraces, Rules: []sampler.Rule{{Name: "none", Rate: 0}}}, []sampler.Evaluator{{Name: "format"}})
	e := event.Event{Kind: event.KindUserFeedback, RequestID: "r", UserRating: "up", TraceContext: event.TraceContext{"tracestate": "ot=th:8"}}
	want := eval.Plan{
		Revision: s.Revision(), Upstream: 0.5,
		Candidates: []eval.Pick{{Evaluator: -1, Name: eval.FeedbackEvaluator, Probability: 1, Rule: "feedback"}},
		Picks:      []eval.Pick{{Evaluator: -1, Name: eval.FeedbackEvaluator, Probability: 0.5, Rule: "feedback"}},
	}
	env := e.Envelope()
	if d := cmp.Diff(want, s.Decide(&env)); d != "" {
		t.Errorf("by body (-want +got):\n%s", d)
	}
	got, ok := s.DecideHeaders(e.Headers())
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Errorf("by headers, %t (-want +got):\n%s", ok, d)
	}
}

// TestHeadersWithoutEnvelope: messages that cannot be decided on headers are left
// to the body, and so are those that have to become dead letters.
func TestHeadersWithoutEnvelope(t *testing.T) {
	t.Parallel()
	s := newSampler(t, sampler.DefaultConfig(), nil)
	header := func(key, value string) event.Header { return event.Header{Key: key, Value: []byte(value)} }
	for name, hs := range map[string][]event.Header{
		"none":         nil,
		"foreign":      {header("content-type", "application/json")},
		"no kind":      {header("request_id", "r")},
		"no id":        {header("event", "llm_request_completed")},
		"empty id":     {header("event", "llm_request_completed"), header("request_id", "")},
		"unknown kind": {header("event", "llm_request_started"), header("request_id", "r")},
		"feedback, id overwritten": {
			header("event", "llm_user_feedback"), header("request_id", "r"), header("request_id", ""),
		},
	} {
		if plan, ok := s.DecideHeaders(hs); ok {
			t.Errorf("%s: decided %v", name, plan)
		}
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()
	policy := func() sampler.Config {
		return sampler.Config{DefaultRate: 0.05, Salt: "s", Rules: []sampler.Rule{
			{Name: "a", When: `feature == "x"`, Rate: 0.5, Evaluators: []string{"one", "two"}}, {Name: "b", Rate: 0.1},
		}}
	}
	evaluators := func() []sampler.Evaluator { return []sampler.Evaluator{{Name: "one"}, {Name: "two", Judge: true}} }
	of := func(change func(*sampler.Config, []sampler.Evaluator)) string {
		cfg, evs := policy(), evaluators()
		change(&cfg, evs)
		return newSampler(t, cfg, evs).Revision()
	}
	base := of(func(*sampler.Config, []sampler.Evaluator) {})
	const golden = "f05d1ffde2c0"
	if base != golden {
		t.Errorf("revision = %q, want %q: was the form of the canonical policy changed?", base, golden)
	}
	seen := map[string]string{base: "nothing"}
	for name, change := range map[string]func(*sampler.Config, []sampler.Evaluator){
		"default rate":   func(c *sampler.Config, _ []sampler.Evaluator) { c.DefaultRate = 0.06 },
		"salt":           func(c *sampler.Config, _ []sampler.Evaluator) { c.Salt = "t" },
		"upstream":       func(c *sampler.Config, _ []sampler.Evaluator) { c.Upstream = sampler.UpstreamTraces },
		"rule name":      func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0].Name = "c" },
		"rule condition": func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0].When = `feature == "y"` },
		"rule rate":      func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0].Rate = 0.4 },
		"rule scope":     func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0].Evaluators = nil },
		"rule order":     func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0], c.Rules[1] = c.Rules[1], c.Rules[0] },
		"evaluator kind": func(_ *sampler.Config, e []sampler.Evaluator) { e[0].Judge = true },
		"evaluator rate": func(_ *sampler.Config, e []sampler.Evaluator) { e[0].Rate = new(1.0) },
		"evaluator when": func(_ *sampler.Config, e []sampler.Evaluator) { e[0].When = "true" },
	} {
		r := of(change)
		if other, ok := seen[r]; ok {
			t.Errorf("%s and %s have the same revision", name, other)
		}
		seen[r] = name
	}
	for name, change := range map[string]func(*sampler.Config, []sampler.Evaluator){
		"spaces around a condition": func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0].When = " feature == \"x\"\n" },
		"order of a rule's scope":   func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[0].Evaluators = []string{"two", "one", "two"} },
		"empty scope":               func(c *sampler.Config, _ []sampler.Evaluator) { c.Rules[1].Evaluators = []string{} },
	} {
		if r := of(change); r != base {
			t.Errorf("%s changes the revision", name)
		}
	}
}

// TestInputsStay: a sampler keeps no part of the configuration that its caller
// could change later, and changes none of it.
func TestInputsStay(t *testing.T) {
	t.Parallel()
	about := []string{"two", "one"}
	cfg := sampler.Config{Rules: []sampler.Rule{{Name: "a", Rate: 1, Evaluators: about}}}
	rate := 1.0
	evs := []sampler.Evaluator{{Name: "one", Rate: &rate}, {Name: "two", Judge: true}}
	s := newSampler(t, cfg, evs)
	if d := cmp.Diff([]string{"two", "one"}, about); d != "" {
		t.Errorf("the rule's evaluators changed (-want +got):\n%s", d)
	}
	rate, evs[0].Name, cfg.Rules[0].Rate = 0, "changed", 0
	env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r"}
	if d := cmp.Diff(map[string]float64{"one by a": 1, "two by a": 1}, picks(s.Decide(&env))); d != "" {
		t.Errorf("picks (-want +got):\n%s", d)
	}
}

func TestNoEvaluators(t *testing.T) {
	t.Parallel()
	s := newSampler(t, sampler.Config{}, nil)
	env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r"}
	if p := s.Decide(&env); len(p.Picks) != 0 || p.Revision == "" {
		t.Errorf("plan = %+v", p)
	}
}

func faultsOf(t *testing.T, err error) fault.List {
	t.Helper()
	var faults fault.List
	if err != nil && !errors.As(err, &faults) {
		t.Fatalf("error is a %T, want fault.List", err)
	}
	return faults
}

// TestCandidatesAreNotAppendedTo: plans share their candidates, so one that a caller
// appends to is a copy.
func TestCandidatesAreNotAppendedTo(t *testing.T) {
	t.Parallel()
	s := newSampler(t, first(noConditions()), second(noConditions())) // three evaluators: room for a fourth
	plan := func() eval.Plan {
		return s.Decide(&event.Envelope{Kind: event.KindRequestCompleted, RequestID: "r"})
	}
	one, other := append(plan().Candidates, eval.Pick{Name: "one"}), append(plan().Candidates, eval.Pick{Name: "other"})
	if len(one) != 4 || one[3].Name != "one" || other[3].Name != "other" {
		t.Errorf("candidates %+v and %+v, want each with its own last one", one, other)
	}
}
