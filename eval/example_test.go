package eval_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// capitals is a custom evaluator.
type capitals struct{}

func (capitals) Name() string    { return "capitals" }
func (capitals) Type() eval.Type { return eval.TypeRule }
func (capitals) Version() string { return "1" }

func (capitals) Evaluate(_ context.Context, e *event.Event) (eval.Verdict, error) {
	if e.Output.IsZero() {
		return eval.NotApplicable("output"), nil
	}
	if text := e.Output.Text(); text == strings.ToUpper(text) {
		return eval.Verdict{Outcome: eval.OutcomeFail, Reason: "all capitals"}, nil
	}
	return eval.Verdict{Outcome: eval.OutcomePass, Score: 1}, nil
}

func ExampleEvaluator() {
	var ev eval.Evaluator = capitals{}
	for _, e := range []event.Event{{Output: event.Text("CALL US")}, {Output: event.Text("Call us.")}, {}} {
		v, err := ev.Evaluate(context.Background(), &e)
		fmt.Println(v.Outcome, v.Reason, err)
	}
	// Output:
	// fail all capitals <nil>
	// pass  <nil>
	// not_applicable missing output <nil>
}
