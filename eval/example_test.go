package eval_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/evalworker/evalworker/eval"
)

func ExampleDecodeEvent() {
	e, err := eval.DecodeEvent([]byte(`{"event":"llm_request_completed","request_id":"req_9f3a","latency_ms":1430}`))
	fmt.Println(e.RequestID, *e.LatencyMS, err)
	_, err = eval.DecodeEvent([]byte(`{"event":"llm_request_completed","request_id":"req_9f3a","latency_ms":"slow"}`))
	fmt.Println(err, eval.IsPermanent(err))
	// Output:
	// req_9f3a 1430 <nil>
	// malformed: latency_ms: a JSON string, want a number true
}

// shouting is an evaluator of one's own.
type shouting struct{}

func (shouting) Name() string    { return "shouting" }
func (shouting) Type() eval.Type { return eval.TypeRule }
func (shouting) Version() string { return "1" }

func (shouting) Evaluate(_ context.Context, e *eval.Event) (eval.Verdict, error) {
	if e.Output.IsZero() {
		return eval.NotApplicable("output"), nil
	}
	if text := e.Output.Text(); text == strings.ToUpper(text) {
		return eval.Verdict{Outcome: eval.OutcomeFail, Reason: "all capitals"}, nil
	}
	return eval.Verdict{Outcome: eval.OutcomePass, Score: 1}, nil
}

func ExampleEvaluator() {
	var ev eval.Evaluator = shouting{}
	for _, e := range []eval.Event{{Output: eval.Text("CALL US")}, {Output: eval.Text("Call us.")}, {}} {
		v, err := ev.Evaluate(context.Background(), &e)
		fmt.Println(v.Outcome, v.Reason, err)
	}
	// Output:
	// fail all capitals <nil>
	// pass  <nil>
	// not_applicable missing output <nil>
}
