package event_test

import (
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
