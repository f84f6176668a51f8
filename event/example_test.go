package event_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/event"
)

func ExampleDecode() {
	e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"req_9f3a","latency_ms":1430}`))
	fmt.Println(e.RequestID, *e.LatencyMS, err)
	e, err = event.Decode([]byte(`{"event":"llm_request_completed","request_id":"req_9f3a","output_tokens":312.0,"latency_ms":"slow"}`))
	fmt.Println(*e.OutputTokens, e.Ignored(), err)
	_, err = event.Decode([]byte(`{"event":"llm_request_completed","latency_ms":1430}`))
	fmt.Println(err, errors.As(err, new(*event.Error)))
	// Output:
	// req_9f3a 1430 <nil>
	// 312 [llm_latency_ms] <nil>
	// malformed: missing request_id true
}

func ExampleDecodeWithWarnings() {
	e, warned, err := event.DecodeWithWarnings([]byte(`{"event":"llm_request_completed","request_id":"r","promt_version":"7",
		"usage":{"prompt_tokens":8,"completion_tokens":2},"latency":1.4}`))
	fmt.Println(*e.InputTokens, *e.OutputTokens, err)
	for _, w := range warned.List {
		fmt.Println(w)
	}
	// Output:
	// 8 2 <nil>
	// unknown field "promt_version", did you mean "prompt_version"?
	// latency: a number without a unit, write llm_latency_ms
}

func ExampleFromResponse() {
	e, err := event.FromResponse(json.RawMessage(`{"role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hello."}],
		"stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":2}}`))
	e.RequestID = "req_9f3a"
	fmt.Println(e.Model, e.FinishReason, *e.InputTokens, e.Answer().Text, err)
	// Output: claude-sonnet-4-5 end_turn 8 Hello. <nil>
}
