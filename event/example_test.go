package event_test

import (
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/event"
)

func ExampleDecode() {
	e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"req_9f3a","latency_ms":1430}`))
	fmt.Println(e.RequestID, *e.LatencyMS, err)
	_, err = event.Decode([]byte(`{"event":"llm_request_completed","request_id":"req_9f3a","latency_ms":"slow"}`))
	fmt.Println(err, errors.As(err, new(*event.Error)))
	// Output:
	// req_9f3a 1430 <nil>
	// malformed: latency_ms: a JSON string, want a number true
}
