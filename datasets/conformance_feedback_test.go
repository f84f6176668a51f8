package datasets_test

import (
	"fmt"
	"testing"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// down returns the report of feedback on the n-th request that names it alone.
func down(n int) *eval.Report {
	return &eval.Report{
		Event: &event.Event{
			Kind: event.KindUserFeedback, RequestID: event.RequestID(fmt.Sprintf("req_%05d", n)), OccurredAt: start,
			UserRating: "2", UserRatingMax: new(5.0), Comment: "no",
		},
		Plan:     eval.Plan{Revision: "rev"},
		Verdicts: []eval.Verdict{{Eval: eval.FeedbackEvaluator, Type: eval.TypeUserFeedback, Outcome: eval.OutcomeFail, Reason: "user_rating", Version: "2", Probability: 1}},
	}
}

// feedback: a case of feedback has the question, prompt and version that the store knows
// of its request, or says that it knows none; neither replaces the other, and feedback
// counts once.
func feedback(t *testing.T, s suite) {
	t.Helper()
	known := datasets.Filter{Evaluator: eval.FeedbackEvaluator, PromptVersion: "v1"}
	request := report(1, "Where is order 17?")
	request.Event.TraceID, request.Event.SpanID = "7041", "12"
	s.offer(t, request)
	if n := s.offer(t, down(1)); n != 1 {
		t.Errorf("%d new failures of feedback; want 1", n)
	}
	if n := s.offer(t, down(1)); n != 0 {
		t.Errorf("%d new failures of repeated feedback; want 0", n)
	}
	c := s.only(t, known)
	if c.PromptName != "triage" || c.FirstVersion != "v1" || c.Count != 1 || len(c.Exemplars) != 1 {
		t.Fatalf("case of feedback: %+v", c)
	}
	x := c.Exemplars[0]
	if string(x.Input) != `"Where is order 17?"` || string(x.Output) != `"answer 1"` || x.Model != "m" || x.SpanID != "000000000000000c" || x.TraceID == "" {
		t.Errorf("exemplar: %+v", x)
	}
	if x.Comment != "no" || x.UserRating != "2" || x.UserRatingMax == nil || *x.UserRatingMax != 5 || x.Failure.Explanation != "" {
		t.Errorf("exemplar: %+v", x)
	}
	if of := s.only(t, datasets.Filter{Evaluator: "format"}); of.Count != 1 || of.Exemplars[0].Comment != "" {
		t.Errorf("case of the request: %+v", of)
	}

	// The same question was asked in a request whose own failure is another one.
	other := report(2, "Where is order 4711?")
	other.Verdicts[0].Eval = "length"
	s.offer(t, other)
	s.offer(t, down(2))
	if c := s.only(t, known); c.Count != 2 {
		t.Errorf("feedback on the same question twice: %+v", c)
	}

	// What feedback says itself counts.
	own := down(1)
	own.Event.RequestID, own.Event.Input = "req_00002~", event.Text("Where is order 3?")
	own.Event.PromptName, own.Event.PromptVersion = "triage", "v1"
	s.offer(t, own)
	if c := s.only(t, known); c.Count != 3 {
		t.Errorf("feedback with its question: %+v", c)
	}

	s.offer(t, down(99))
	all, err := s.cases.List(t.Context(), datasets.Filter{Evaluator: eval.FeedbackEvaluator})
	if err != nil || len(all) != 2 {
		t.Fatalf("cases of feedback: %+v, %v", all, err)
	}
	lost, err := s.cases.Case(t.Context(), all[1].ID)
	if err != nil || lost.Exemplars[0].Failure.Explanation != "feedback on request req_00099, whose question is not known here" {
		t.Errorf("case of feedback on an unknown request: %+v, %v", lost, err)
	}
}

// feedbackWithoutExemplar: of a request whose exemplar was dropped, version and feature
// are known.
func feedbackWithoutExemplar(t *testing.T, s suite) {
	t.Helper()
	for n := range s.cfg.MaxExemplars + 5 {
		s.offer(t, report(n, "Where is order 17?"))
	}
	s.offer(t, down(2))
	c := s.only(t, datasets.Filter{Evaluator: eval.FeedbackEvaluator})
	if c.FirstVersion != "v1" || c.Feature != "support" || c.Exemplars[0].Input != nil || c.Exemplars[0].Failure.Explanation == "" {
		t.Errorf("case: %+v", c)
	}
}
