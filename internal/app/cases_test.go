package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/store"
)

// cases returns all cases with their exemplars.
func (p *performance) cases(t *testing.T) []datasets.Case { return p.world.cases(t) }

func (w *world) cases(t *testing.T) []datasets.Case {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.URL = w.storeURL()
	db, err := store.OpenExisting(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cases := datasets.NewCases(db)
	list, err := cases.List(t.Context(), datasets.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if list[i], err = cases.Case(t.Context(), list[i].ID); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// testCases: one case per failing signature, with the requests that fail alike.
func (p *performance) testCases(t *testing.T) {
	// Two failures differ when the user's questions differ in more than case and
	// digits.
	want := map[string]int{}
	for _, s := range p.scenesWanted() {
		r := p.seen.report(t, s.id)
		question, _, _ := strings.Cut(r.Event.Input.Text(), word(""))
		question = strings.NewReplacer("4711", "#", "815", "#").Replace(strings.ToLower(question))
		for _, v := range r.Verdicts {
			if v.Outcome == eval.OutcomeFail {
				want[v.Eval+": "+v.Reason+": "+question]++
			}
		}
	}
	cases := p.cases(t)
	if len(cases) != len(want) {
		t.Errorf("%d cases, want %d: %v", len(cases), len(want), want)
	}
	total := 0
	for _, c := range cases {
		total += c.Count
		if len(c.Exemplars) != c.Count || c.Status != datasets.StatusCandidate || c.Feature != "support_agent" {
			t.Errorf("case %s: %d exemplars of %d, status %s, feature %s", c.ID, len(c.Exemplars), c.Count, c.Status, c.Feature)
		}
		for _, x := range c.Exemplars {
			p.testExemplar(t, c, x)
		}
	}
	if all := sum(p.failures()); total != all || p.seen.newCases() != all {
		t.Errorf("%d occurrences, %d told of, want %d", total, p.seen.newCases(), all)
	}
	for _, twins := range want {
		if twins > 1 {
			return
		}
	}
	t.Error("no two requests failed alike")
}

// testExemplar: an exemplar says why it failed and leads back to its trace.
func (p *performance) testExemplar(t *testing.T, c datasets.Case, x datasets.Exemplar) {
	t.Helper()
	r := p.seen.report(t, x.RequestID)
	for _, v := range r.Verdicts {
		if v.Eval != c.Evaluator {
			continue
		}
		got := datasets.Failure{
			Outcome: v.Outcome, Score: v.Score, Reason: v.Reason, Label: v.Label, Version: v.Version,
			Policy: r.Plan.Revision, Rule: v.Rule, Probability: v.Probability,
			Explanation: x.Failure.Explanation, Criteria: x.Failure.Criteria,
		}
		if d := cmp.Diff(got, x.Failure); d != "" || c.Type != v.Type || c.Reason != v.Reason {
			t.Errorf("%s: %s (-verdict +exemplar):\n%s", x.RequestID, c.Evaluator, d)
		}
		if judged := v.Type == eval.TypeLLMJudge; judged != strings.Contains(x.Failure.Explanation, word("reason")) {
			t.Errorf("%s: %s: explanation %q", x.RequestID, c.Evaluator, x.Failure.Explanation)
		}
	}
	trace, span := r.Event.Origin()
	if trace.IsZero() != (x.TraceID == "") || !trace.IsZero() && x.TraceID != trace.String() || span != 0 && (x.SpanID != fmt.Sprintf("%016x", uint64(span)) || x.SpanIDDecimal != span.String()) {
		t.Errorf("%s: trace %s, span %s, want %s, %s", x.RequestID, x.TraceID, x.SpanID, trace, span)
	}
	if x.ContentWithheld || r.Event.Input.IsZero() != (len(x.Input) == 0) || r.Event.Output.IsZero() != (len(x.Output) == 0) {
		t.Errorf("%s: content is missing", x.RequestID)
	}
}
