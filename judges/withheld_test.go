package judges

import (
	"context"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestContentWithheld: no model is asked about an event that was published without its
// content, not even by a rubric that is content with the names of the calls.
func TestContentWithheld(t *testing.T) {
	t.Parallel()
	model := ModelFunc(func(context.Context, Request) (Answer, error) {
		t.Error("the model was asked")
		return Answer{}, nil
	})
	for name, rubric := range BuiltIn() {
		e := full()
		e.Withhold(event.WithheldTooLarge)
		v, err := newJudge(t, rubric, model).Evaluate(t.Context(), e)
		if err != nil || v.Outcome != eval.OutcomeNotApplicable || v.Reason != "content withheld: the event was too large" {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}
