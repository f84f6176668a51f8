package judges

import (
	"context"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/conformance"
)

// TestConformance: every built-in rubric fulfils the contract of evaluators, with a
// model that quotes its prompt, fails every criterion and breaks every third answer.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, r := range BuiltIn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parrot := ModelFunc(func(ctx context.Context, q Request) (Answer, error) {
				if ctx.Err() != nil {
					return Answer{}, eval.WithReason(eval.ReasonCanceled, ctx.Err())
				}
				usage := eval.Usage{Model: "parrot", Calls: 1}
				if len(q.User)%3 == 0 {
					return Answer{Text: q.User, Usage: usage}, nil // not an answer to the question
				}
				var fields []string
				for _, c := range r.Criteria {
					fields = append(fields, c.ID, q.User, q.User, "fail")
				}
				return Answer{Text: answer(fields...), Usage: usage}, nil
			})
			conformance.Evaluator(t, func(t *testing.T) eval.Evaluator {
				t.Helper()
				return newJudge(t, r, parrot)
			}, []event.Event{*newEvent(), *full()})
		})
	}
}
