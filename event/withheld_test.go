package event_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// TestWithhold: no word of the content stays in the encoded event, what is not content
// does, and an event that shares its parts is not changed.
func TestWithhold(t *testing.T) {
	t.Parallel()
	const words = "canary"
	whole := func() *event.Event {
		e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"r","prompt_version":"3","input_tokens":7,"status":"success","llm_latency_ms":9,
			"trace_id":"0af7651916cd43dd8448eb211c80319c","output_schema":"reply","user_rating":"up",
			"input":"canary","output":{"a":"canary"},"expected":"canary","tools":["canary"],"comment":"canary",
			"retrieval":{"index":"kb","query":"canary","hit_count":2,"chunks":[{"id":"kb_1","text":"canary","score":0.5}]},
			"tool_calls":[{"name":"look","type":"server","arguments":{"q":"canary"},"result":"canary","status":"ok canary","latency_ms":4},
				{"name":"look","status":"timeout"},{"name":"look","status":"completed"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const kept = `{"event":"llm_request_completed","request_id":"r","trace_id":"0af7651916cd43dd8448eb211c80319c","prompt_version":"3","status":"success",` +
		`"input_tokens":7,"llm_latency_ms":9,"output_schema":"reply","retrieval":{"index":"kb","hit_count":2,"chunks":[{%s"score":0.5}]},` +
		`"tool_calls":[%s],"user_rating":"up","content_withheld":"%s"}`
	for reason, want := range map[string]string{
		event.WithheldTooLarge: fmt.Sprintf(kept, `"id":"kb_1",`,
			`{"name":"look","type":"server","status":"ok canary","latency_ms":4},{"name":"look","status":"timeout"},{"name":"look","status":"completed"}`, "too_large"),
		event.WithheldNotRedacted: fmt.Sprintf(kept, ``, `{"latency_ms":4},{"status":"error"},{"status":"success"}`, "not_redacted"),
		"mine":                    fmt.Sprintf(kept, ``, `{"latency_ms":4},{"status":"error"},{"status":"success"}`, "mine"),
	} {
		e := whole()
		shared := *e
		shared.Withhold(reason)
		got, err := json.Marshal(shared)
		if err != nil {
			t.Fatal(err)
		}
		if diff := testdiff.Of(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
		if n := strings.Count(string(got), words); reason != event.WithheldTooLarge && n > 0 {
			t.Errorf("%s: %d words of the content stay", reason, n)
		}
		before, _ := json.Marshal(whole())
		after, _ := json.Marshal(e)
		if diff := testdiff.Of(string(before), string(after)); diff != "" {
			t.Errorf("the event it was copied from has changed (-before +after):\n%s", diff)
		}
		back, err := event.DecodeStrict(got)
		if err != nil || back.ContentWithheld != reason || len(back.ToolCalls) != 3 {
			t.Errorf("%s: read again: %+v, %v", reason, back, err)
		}
	}
}

// TestWithholdAResponse: the model, the tokens and the calls that only the output names
// are still counted.
func TestWithholdAResponse(t *testing.T) {
	t.Parallel()
	e := event.Event{Output: event.JSON([]byte(`{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":null,` +
		`"tool_calls":[{"id":"c","type":"function","function":{"name":"look","arguments":"{\"q\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}`))}
	e.Withhold(event.WithheldTooLarge)
	if e.Model != "m-1" || e.FinishReason != "tool_calls" || e.InputTokens == nil || *e.InputTokens != 3 || *e.OutputTokens != 4 ||
		len(e.ToolCalls) != 1 || e.ToolCalls[0].Name != "look" || !e.ToolCalls[0].Arguments.IsZero() || !e.Output.IsZero() {
		t.Errorf("%+v", e)
	}
}
