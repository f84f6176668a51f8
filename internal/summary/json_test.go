package summary_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/summary"
)

// judgedBy returns the reports of an evaluator on two versions of 200 events each: of the
// second version it fails half, and it gives an error on so many more events.
func judgedBy(s *summary.Summary, errors int) {
	add := func(version string, i int, v eval.Verdict) {
		v.Eval, v.Type, v.Probability = "judge", eval.TypeLLMJudge, 1
		e := &event.Event{RequestID: event.RequestID(fmt.Sprint(version, i)), PromptName: "hours", PromptVersion: version}
		s.Report(&eval.Report{Event: e, Verdicts: []eval.Verdict{v}})
	}
	for i := range 200 {
		add("v1", i, eval.Verdict{Outcome: eval.OutcomePass, Score: 1})
		if i%2 == 0 {
			add("v2", i, eval.Verdict{Outcome: eval.OutcomePass, Score: 1})
		} else {
			add("v2", i, eval.Verdict{Outcome: eval.OutcomeFail})
		}
	}
	for i := range errors {
		add("v2", 200+i, eval.Verdict{Outcome: eval.OutcomeError, Reason: string(eval.ReasonTimeout)})
	}
}

// TestResultOfAnEvaluatorThatFails: with too many errors nothing is compared by an
// evaluator, in the result as in the printed findings, and the result says why.
func TestResultOfAnEvaluatorThatFails(t *testing.T) {
	t.Parallel()
	for errors, worse := range map[int]int{0: 1, 4: 1, 50: 0} {
		s := summary.New(summary.Config{})
		judgedBy(s, errors)
		r := s.Result(0.01)
		if len(r.Regressions) != worse || len(r.Worse()) != worse || r.Asked() != worse {
			t.Errorf("%d errors: regressions %+v", errors, r.Regressions)
		}
		failing := 1 - worse
		if len(r.Compared.Failing) != failing || r.Compared.Unit != summary.UnitTrace || r.Compared.MaxErrors != 0.01 {
			t.Errorf("%d errors: compared %+v", errors, r.Compared)
		}
		for _, c := range r.Comparisons {
			if c.PromptVersion == "v2" && (c.NotCompared == "too many errors") != (failing == 1) {
				t.Errorf("%d errors: not compared %q, worse %v", errors, c.NotCompared, c.Worse)
			}
		}
		var out strings.Builder
		if err := r.Print(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "v2 is worse than v1") != (worse == 1) {
			t.Errorf("%d errors: printed\n%s", errors, &out)
		}
	}
}

// TestUsageAddsUp: by model, failed evaluations among them; an unknown cost is not zero.
func TestUsageAddsUp(t *testing.T) {
	t.Parallel()
	s := summary.New(summary.Config{})
	add := func(outcome eval.Outcome, u eval.Usage) {
		s.Report(&eval.Report{Event: &event.Event{}, Verdicts: []eval.Verdict{{Eval: "judge", Outcome: outcome, Probability: 1, Usage: &u}}})
	}
	add(eval.OutcomePass, eval.Usage{Model: "b", Calls: 1, InputTokens: 10, CachedTokens: 4, OutputTokens: 1, CostNanoUSD: 1_500_000, CostKnown: true})
	add(eval.OutcomeError, eval.Usage{Model: "b", Calls: 2, InputTokens: 5, CostNanoUSD: 500_000, CostKnown: true})
	add(eval.OutcomePass, eval.Usage{Model: "b", Calls: 1})
	add(eval.OutcomePass, eval.Usage{Model: "a", Calls: 1, InputTokens: 7})
	got, err := json.Marshal(s.Result(0.01).Usage)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"model":"a","verdicts":1,"calls":1,"input_tokens":7,"cached_tokens":0,"output_tokens":0,"cost_usd":null,"cost_unknown":1},` +
		`{"model":"b","verdicts":3,"calls":4,"input_tokens":15,"cached_tokens":4,"output_tokens":1,"cost_usd":0.002,"cost_unknown":1}]`
	if string(got) != want {
		t.Errorf("usage:\n%s\nwant:\n%s", got, want)
	}
}

// TestEmptyResult: lists are lists, so that readers need not ask.
func TestEmptyResult(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(summary.New(summary.Config{Unit: summary.UnitSession, Baseline: "v1"}).Result(0.5))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"events":{"consumed":0,"unwanted":0,"sampled_out":0,"evaluated":0,"dead_lettered":0},"dead_letters":[],` +
		`"by":"prompt_version","prompt_versions":[],"regressions":[],"comparisons":[],"errors":{},"unsure":{},` +
		`"compared":{"unit":"session","baseline":"v1","max_errors":0.5,"failing":[]},"usage":[],"dataset":{"causes":0,"cases":0,"occurrences":0,"new":0},"problems":[]}`
	if string(got) != want {
		t.Errorf("result:\n%s\nwant:\n%s", got, want)
	}
}
