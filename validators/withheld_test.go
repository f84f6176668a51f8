package validators

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestContentWithheld: on an event that was published without its content, an evaluator
// of content is not applicable, whatever is left of the event, and one of measures
// answers as ever.
func TestContentWithheld(t *testing.T) {
	t.Parallel()
	schemas := newSchemas(t, map[string]string{"reply.json": replySchema})
	const whole = `"input":"When?","output":"soon","expected":"soon","output_schema":"reply","finish_reason":"stop","llm_latency_ms":5,
		"input_tokens":3,"output_tokens":3,"estimated_cost_usd":0.01,"first_token_latency_ms":1,
		"retrieval":{"hit_count":1,"chunks":[{"id":"kb_1","text":"Refunds are due","score":0.9}]},
		"tool_calls":[{"name":"lookup","arguments":{"id":1},"status":"error"}],"tools":[{"name":"lookup","parameters":{"type":"object"}}]`
	for reason, why := range map[string]string{
		event.WithheldTooLarge: "content withheld: the event was too large", event.WithheldNotRedacted: "content withheld: it was not redacted", "mine": "content withheld",
	} {
		e := newEvent(t, whole)
		e.Withhold(reason)
		for _, c := range configs() {
			got := evaluate(t, newValidator(t, c, schemas), e)
			switch c.Type {
			case "retrieval", "budget":
				if got.Outcome != eval.OutcomePass {
					t.Errorf("%s, %s: %+v", reason, c.Type, got)
				}
			default:
				if len(got.Measures) > 0 || got.Outcome != eval.OutcomeNotApplicable || got.Reason != why {
					t.Errorf("%s, %s: %+v", reason, c.Type, got)
				}
			}
		}
	}
	e := newEvent(t, strings.Replace(whole, `"stop"`, `"content_filter"`, 1))
	e.Withhold(event.WithheldTooLarge)
	if got := evaluate(t, newValidator(t, Config{Type: "refusal"}, nil), e); got.Outcome != eval.OutcomeFail || got.Label != labelRefused {
		t.Errorf("a filter's refusal needs no content: %+v", got)
	}
}
