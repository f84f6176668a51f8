package telemetry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

// TestRequestsAreUnbiased: through the sampler itself, the weighted counts of the requests
// that were evaluated equal the counts of all requests, within five standard errors, also
// when a rule keeps all errors and a tenth of the rest: there the unweighted error rate is
// five times the true one. Ids and seeds are fixed, so this cannot flake.
func TestRequestsAreUnbiased(t *testing.T) {
	t.Parallel()
	const n = 200_000
	errorsKept := sampler.Rule{Name: "errors", When: `status == "error"`, Rate: 1}
	for name, tt := range map[string]struct {
		cfg        sampler.Config
		evaluators []sampler.Evaluator
		tracestate string
	}{
		"one rate": {cfg: sampler.Config{DefaultRate: 0.1}, evaluators: []sampler.Evaluator{{Name: "a", Judge: true}}},
		"errors are kept": {
			cfg:        sampler.Config{DefaultRate: 0.1, Rules: []sampler.Rule{errorsKept}},
			evaluators: []sampler.Evaluator{{Name: "a", Judge: true}, {Name: "b", Judge: true}},
		},
		"a rule for one of several evaluators": {
			cfg: sampler.Config{DefaultRate: 0.07, Rules: []sampler.Rule{
				{Name: "errors", When: errorsKept.When, Rate: 1, Evaluators: []string{"b"}},
				{Name: "search", When: `feature == "search"`, Rate: 0.3, Evaluators: []string{"c"}},
			}},
			evaluators: []sampler.Evaluator{{Name: "a", Judge: true}, {Name: "b", Judge: true, Rate: new(0.01)}, {Name: "c", Judge: true}},
		},
		"evaluators with conditions": {
			cfg:        sampler.Config{DefaultRate: 0.1, Rules: []sampler.Rule{errorsKept}},
			evaluators: []sampler.Evaluator{{Name: "a", Judge: true}, {Name: "b", Judge: true, When: `feature == "search"`, Rate: new(0.45)}, {Name: "c", Judge: true, When: `feature == "none"`, Rate: new(1.0)}},
		},
		"published by a tracer that keeps a quarter": {
			cfg:        sampler.Config{DefaultRate: 0.3, Upstream: sampler.UpstreamTraces, Rules: []sampler.Rule{errorsKept}},
			evaluators: []sampler.Evaluator{{Name: "a", Judge: true}, {Name: "b", Judge: true, Rate: new(0.02)}},
			tracestate: "ot=th:c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := sampler.New(tt.cfg, tt.evaluators)
			if err != nil {
				t.Fatal(err)
			}
			rec, out, d := newTestRecorder(target{}, 10)
			random := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // a test
			want, variance, plain := map[string]float64{}, map[string]float64{}, map[string]int64{}
			for i := range n {
				e := &event.Event{
					Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprint("req-", i)), Status: "success",
					InputTokens: new(int64(300)), RetryCount: new(int64(2)), EstimatedCostUSD: new(0.000_000_3), TaskCompleted: new(i%3 > 0),
					ToolCalls: []event.ToolCall{{Name: "t", Status: "success"}, {Name: "t", Status: "error"}},
				}
				lo := random.Uint64()
				e.TraceID = event.ID(fmt.Sprintf("%016x%016x", random.Uint64(), lo))
				if i%10 == 0 {
					e.Status = "error"
				}
				if i%30 == 0 {
					e.ErrorType = "APITimeoutError"
				}
				if i%4 == 0 {
					e.Feature = "search"
				}
				counts := map[string]float64{
					"llm.requests": 1, "llm.input_tokens": 300, "llm.retries": 2, "llm.cost_microusd": 0.3, "llm.tasks": 1, "llm.tool_calls": 2, "llm.tool_failures": 1,
				}
				if i%10 == 0 {
					counts["llm.errors"] = 1
				}
				if i%30 == 0 {
					counts["llm.timeouts"] = 1
				}
				for name, v := range counts {
					want[name] += v
				}
				if tt.tracestate != "" { // the tracer drops three of four, and the application publishes the others
					e.TraceContext = event.TraceContext{"traceparent": fmt.Sprintf("00-%016x%016x-00000000000000aa-01", random.Uint64(), lo), "tracestate": tt.tracestate}
					if lo%(1<<56) < 0xc<<52 {
						continue
					}
				}
				env := e.Envelope()
				plan := s.Decide(&env)
				p := probability(&plan)
				for name, v := range counts {
					whole := math.Floor(1 / p)
					variance[name] += v*v*((1-p)/p+p*(1/p-whole)*(whole+1-1/p)) + v
				}
				if len(plan.Picks) == 0 {
					continue
				}
				r := &eval.Report{Event: e, Plan: plan}
				for _, pick := range plan.Picks {
					r.Verdicts = append(r.Verdicts, eval.Verdict{Eval: pick.Name, Outcome: eval.OutcomePass, Probability: pick.Probability})
				}
				before := out.counts["llm.requests"]
				rec.report(r)
				for name := range counts {
					plain[name]++
				}
				if out.counts["llm.requests"] == before {
					t.Fatal("an evaluated request is not counted")
				}
			}
			if tt.tracestate != "" {
				for name := range variance {
					variance[name] *= 4 // of those that were not published
					variance[name] += 3 * want[name] * want[name] / n
				}
			}
			for name, all := range want {
				got, tolerance := float64(out.counts[name]), 5*math.Sqrt(variance[name])
				if math.Abs(got-all) > tolerance {
					t.Errorf("%s = %v, want %v within %.0f", name, got, all, tolerance)
				}
			}
			if len(d.snapshot()) > 0 {
				t.Errorf("drops: %v", d.snapshot())
			}
			if name == "errors are kept" {
				if biased := float64(plain["llm.errors"]) / float64(plain["llm.requests"]); biased < 0.5 {
					t.Errorf("the unweighted error rate is %v: this tests nothing", biased)
				}
			}
		})
	}
}

// TestPartsAreNotLarger: within one event no part is counted more often than the whole,
// whichever way the weights are rounded.
func TestPartsAreNotLarger(t *testing.T) {
	t.Parallel()
	rec, out, _ := newTestRecorder(target{}, 10)
	for range 1000 {
		clear(out.counts)
		rec.report(&eval.Report{
			Event: &event.Event{Kind: event.KindRequestCompleted, Status: "timeout", ToolCalls: []event.ToolCall{{Name: "t", Status: "failed"}}, TaskCompleted: new(true)},
			Plan:  eval.Plan{Upstream: 1, Candidates: []eval.Pick{{Probability: 0.7}, {Probability: 0.2}}},
			Verdicts: []eval.Verdict{
				{Eval: "a", Type: eval.TypeJSONSchema, Outcome: eval.OutcomeFail, Probability: 0.7},
			},
		})
		all := out.counts["llm.requests"]
		if all != 1 && all != 2 {
			t.Fatalf("llm.requests = %d, want 1/0.7 rounded", all)
		}
		for _, name := range []string{"llm.errors", "llm.timeouts", "llm.tasks", "llm.tool_calls", "llm.tool_failures", "llm.json_checked", "llm.json_invalid", "llm.eval.weighted"} {
			if out.counts[name] != all {
				t.Fatalf("%s = %d of %d requests", name, out.counts[name], all)
			}
		}
	}
}

// TestJSONHasTheVerdictsWeight: a schema that is checked with a smaller rate than the
// event was evaluated with stands for more outputs.
func TestJSONHasTheVerdictsWeight(t *testing.T) {
	t.Parallel()
	rec, out, _ := newTestRecorder(target{}, 10)
	rec.report(&eval.Report{
		Event:    &event.Event{Kind: event.KindRequestCompleted},
		Plan:     eval.Plan{Upstream: 0.5, Candidates: []eval.Pick{{Probability: 0.5}, {Probability: 1}}},
		Verdicts: []eval.Verdict{{Eval: "a", Type: eval.TypeJSONSchema, Outcome: eval.OutcomeFail, Probability: 0.25}, {Eval: "b", Probability: 0.5}},
	})
	for name, want := range map[string]int64{"llm.requests": 2, "llm.json_checked": 4, "llm.json_invalid": 4} {
		if got := out.counts[name]; got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
}

// TestTasks: what a request or feedback says about its task counts once, whatever else the
// feedback repeats.
func TestTasks(t *testing.T) {
	t.Parallel()
	rec, out, _ := newTestRecorder(target{}, 10)
	request := &event.Event{Kind: event.KindRequestCompleted, RequestID: "r", PromptName: "returns", TaskCompleted: new(false)}
	rated := &event.Event{Kind: event.KindUserFeedback, RequestID: "r", UserRating: event.RatingUp}
	done := &event.Event{Kind: event.KindUserFeedback, RequestID: "s", TaskCompleted: new(true)}
	feedback := eval.Plan{Upstream: 0.25, Candidates: []eval.Pick{{Evaluator: -1, Probability: 1}}}
	rec.report(&eval.Report{Event: request, Plan: eval.Plan{Upstream: 1, Candidates: []eval.Pick{{Probability: 0.5}}}})
	if got := out.counts["llm.tasks"]; got != 2 || out.tags["llm.tasks"][1] != "completed:false" {
		t.Errorf("the request: %d %v, want 2 that are not completed", got, out.tags["llm.tasks"])
	}
	rec.report(&eval.Report{Event: rated.About(request), Plan: feedback})
	if got := out.counts["llm.tasks"]; got != 2 {
		t.Errorf("feedback that does not speak of the task adds %d", got-2)
	}
	rec.report(&eval.Report{Event: done, Plan: feedback})
	if got := out.counts["llm.tasks"]; got != 6 || out.tags["llm.tasks"][0] != "completed:true" {
		t.Errorf("feedback that does: %d more, tags %v, want 4", got-2, out.tags["llm.tasks"])
	}
	if out.counts["llm.requests"] != 2 {
		t.Errorf("llm.requests = %d: feedback is no request", out.counts["llm.requests"])
	}
}

// TestHugeCounts do not overflow.
func TestHugeCounts(t *testing.T) {
	t.Parallel()
	rec, out, _ := newTestRecorder(target{}, 10)
	rec.report(&eval.Report{
		Event: &event.Event{Kind: event.KindRequestCompleted, InputTokens: new(int64(math.MaxInt64)), OutputTokens: new(int64(-5)), EstimatedCostUSD: new(math.MaxFloat64)},
		Plan:  eval.Plan{Upstream: 1, Candidates: []eval.Pick{{Probability: 1e-9}}},
	})
	if out.counts["llm.input_tokens"] != maxCount || out.counts["llm.output_tokens"] != 0 || out.counts["llm.cost_microusd"] != maxCount {
		t.Errorf("counts = %v", out.counts)
	}
}
