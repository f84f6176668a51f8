package judges

import (
	"context"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/conformance"
)

// Every built-in rubric keeps to the contract of evaluators, with a model that
// repeats what it was shown, fails every criterion and gives up every third time.
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
					return Answer{Text: q.User, Usage: usage}, nil // no answer to what was asked
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
