//go:build go1.26

package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// logLine is a structured log line of an LLM call as teams write it today.
const logLine = `{"event":"llm_request_completed","request_id":"req_9f3a","trace_id":"123456789","feature":"support_agent",
 "prompt_name":"support_triage","prompt_version":"2026-06-01.3","provider":"anthropic","model":"claude-sonnet-4",
 "input_tokens":1840,"output_tokens":312,"latency_ms":1430,"estimated_cost_usd":0.0098,"status":"success"}`

func TestDecodeLogLine(t *testing.T) {
	t.Parallel()
	got, err := event.Decode([]byte(logLine))
	if err != nil {
		t.Fatal(err)
	}
	want := &event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req_9f3a", TraceID: "123456789", Feature: "support_agent",
		PromptName: "support_triage", PromptVersion: "2026-06-01.3", Provider: "anthropic", Model: "claude-sonnet-4",
		InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.0), EstimatedCostUSD: new(0.0098),
		Status: "success",
	}
	if d := testdiff.Of(want, got); d != "" {
		t.Errorf("event (-want +got):\n%s", d)
	}
	if trace, _ := got.Origin(); trace != (event.TraceID{Lo: 123456789}) {
		t.Errorf("trace = %v, want the decimal id 123456789", trace)
	}
}

func TestDecodeTolerance(t *testing.T) {
	t.Parallel()
	base := func(fields string) string {
		return `{"event":"llm_request_completed","request_id":"r"` + fields + `}`
	}
	tests := []struct {
		name, in string
		check    func(e *event.Event) (got, want any)
	}{
		{"unknown fields are ignored", base(`,"team":{"name":"x"}`), func(e *event.Event) (any, any) { return e.RequestID, event.RequestID("r") }},
		{"numeric ids", `{"event":"llm_request_completed","request_id":17,"trace_id":18446744073709551615}`, func(e *event.Event) (any, any) {
			trace, _ := e.Origin()
			return []any{e.RequestID, trace}, []any{event.RequestID("17"), event.TraceID{Lo: 1<<64 - 1}}
		}},
		{"canonical name wins over its alias", base(`,"latency_ms":1,"llm_latency_ms":2`), func(e *event.Event) (any, any) { return *e.LatencyMS, 2.0 }},
		{"aliases", base(`,"env":"prod","prompt_tokens":3,"completion_tokens":4,"cost_usd":0.5,"response":"hi","timestamp":"2026-01-31T12:00:00Z"`), func(e *event.Event) (any, any) {
			return []any{e.Environment, *e.InputTokens, *e.OutputTokens, *e.EstimatedCostUSD, e.Output.Text(), e.OccurredAt},
				[]any{"prod", int64(3), int64(4), 0.5, "hi", time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
		}},
		{"times as numbers", base(`,"timestamp":1769860800`), func(e *event.Event) (any, any) {
			return e.OccurredAt, time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
		}},
		{"times in parts of a second", base(`,"timestamp":1769860800.25`), func(e *event.Event) (any, any) {
			return e.OccurredAt, time.Date(2026, 1, 31, 12, 0, 0, 250e6, time.UTC)
		}},
		{"times in milliseconds", base(`,"timestamp":1,"occurred_at":1769860800250`), func(e *event.Event) (any, any) {
			return e.OccurredAt, time.Date(2026, 1, 31, 12, 0, 0, 250e6, time.UTC)
		}},
		{"no time", base(`,"timestamp":null,"occurred_at":0`), func(e *event.Event) (any, any) { return e.OccurredAt, time.Time{} }},
		{"messages are input", base(`,"messages":[{"role":"user","content":"where is my order?"}]`), func(e *event.Event) (any, any) {
			return e.Input.Text(), "user: where is my order?"
		}},
		{"null is absent", base(`,"input":null,"model":null,"latency_ms":null,"retrieval":null,"user_rating":null`), func(e *event.Event) (any, any) {
			return []any{e.Input.IsZero(), e.Model, e.LatencyMS == nil, e.Retrieval == nil, e.UserRating}, []any{true, "", true, true, event.Rating("")}
		}},
		{"priority as a number", base(`,"trace_context":{"X-Datadog-Sampling-Priority":1}`), func(e *event.Event) (any, any) {
			return e.TraceContext.Get("x-datadog-sampling-priority"), "1"
		}},
		{"rating as a number", base(`,"user_rating":4.0`), func(e *event.Event) (any, any) { return e.UserRating, event.Rating("4") }},
		{"rating in capitals", base(`,"user_rating":"Down"`), func(e *event.Event) (any, any) { return e.UserRating, event.RatingDown }},
		{"as deep as allowed", base(`,"output":` + strings.Repeat("[", event.MaxDepth-1) + strings.Repeat("]", event.MaxDepth-1)), func(e *event.Event) (any, any) {
			return len(e.Output.Raw()), 2 * (event.MaxDepth - 1)
		}},
		{"brackets in a text are no depth", base(`,"output":"\\\"` + strings.Repeat("[{", 2000) + `\\"`), func(e *event.Event) (any, any) {
			return len(e.Output.Text()), 2 + 4000 + 1
		}},
		{"many shallow values", base(`,"output":[` + strings.Repeat(`{"a":[]},`, 2000) + `1]`), func(e *event.Event) (any, any) {
			return e.Output.IsZero(), false
		}},
		{"output as a value", base(`,"output":{"answer": 42}`), func(e *event.Event) (any, any) { return e.Output.Text(), `{"answer":42}` }},
		{"output as an assistant message", base(`,"output":{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`), func(e *event.Event) (any, any) {
			return e.Output.Text(), "ab"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := event.Decode([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got, want := tt.check(e)
			if d := testdiff.Of(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		reason   event.Reason
		want     string
	}{
		{"empty", ``, event.Malformed, "empty message"},
		{"not JSON", `level=info msg=hello`, event.Malformed, "invalid JSON at byte 1: bare word"},
		{"cut off", `{"event":"llm_requ`, event.Malformed, "invalid JSON at byte 18: ends too early"},
		{"an array", `[]`, event.Malformed, "a JSON array, want an object"},
		{"nested like a bomb", `{"event":"llm_request_completed","request_id":"r","output":` + strings.Repeat("[", 100_000), event.Malformed, "nested more than 512 deep at byte 571"},
		{"nested like a bomb, and closed", `{"a":` + strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_001), event.Malformed, "nested more than 512 deep at byte 2561"},
		{"one level too many", `{"event":"llm_request_completed","request_id":"r","output":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + "}", event.Malformed, "nested more than 512 deep at byte 571"},
		{"no request id", `{"event":"llm_request_completed"}`, event.Malformed, "missing request_id"},
		{"nothing", `{}`, event.Malformed, "missing event and request_id"},
		{"id that lost digits", `{"event":"llm_request_completed","request_id":1.5e9}`, event.Malformed, "request_id: a JSON number, want a string, or a whole number that has all its digits"},
		{"request id of another type", `{"event":"llm_request_completed","request_id":["r"]}`, event.Malformed, "request_id: a JSON array, want a string, or a whole number that has all its digits"},
		{"request id that is no number", `{"event":"llm_request_completed","request_id":NaN}`, event.Malformed, "request_id: a JSON number that is not finite, want a string, or a whole number that has all its digits"},
		{"kind of another type", `{"event":true,"request_id":"r"}`, event.Malformed, "event: a JSON bool, want a string"},
		{"two events", `{"event":"llm_request_completed","request_id":"r"} {}`, event.Malformed, "invalid JSON at byte 52: more than one value"},
		{"null", `null`, event.Malformed, "a JSON null, want an object"},
		{"a bare word", `{"event":"llm_request_completed","request_id":"r","a":nan}`, event.Malformed, "invalid JSON at byte 55: bare word"},
		{"unknown kind", `{"event":"page_viewed","request_id":"r"}`, event.UnknownEvent, "event: not one of llm_request_completed, llm_user_feedback"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := event.Decode([]byte(tt.in))
			var bad *event.Error
			if !errors.As(err, &bad) || bad.Reason != tt.reason {
				t.Fatalf("err = %v; want an event.Error of reason %q", err, tt.reason)
			}
			if got := err.Error(); got != string(tt.reason)+": "+tt.want {
				t.Errorf("err = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDecodeStrict(t *testing.T) {
	t.Parallel()
	if _, err := event.DecodeStrict([]byte(logLine)); err != nil {
		t.Errorf("a known alias: %v", err)
	}
	_, err := event.DecodeStrict([]byte(`{"event":"llm_request_completed","request_id":"r","promt_version":"1"}`))
	if err == nil || !strings.HasSuffix(err.Error(), `: unknown field "promt_version", did you mean "prompt_version"?`) {
		t.Errorf("err = %v, want the misspelt field named", err)
	}
	_, err = event.DecodeStrict([]byte(`{"event":"llm_request_completed","request_id":"r","latency_ms":"fast","Team":1,"retrieval":{"chunks":[{"text":"a","scor":1,"metadata":{"page":7}}]}}`))
	if want := `malformed: latency_ms: a JSON string, want a number; unknown field "Team"; unknown field "retrieval.chunks.scor", did you mean "retrieval.chunks.score"?`; err == nil || err.Error() != want {
		t.Errorf("err = %v, want %s", err, want)
	}
	if _, err := event.DecodeStrict([]byte(`{"event":"llm_request_completed","request_id":"r","context":"","documents":null,"output_tokens":""}`)); err != nil {
		t.Errorf("fields without a value: %v", err)
	}
	if _, err := event.DecodeStrict([]byte(logLine + "{}")); err == nil {
		t.Error("two values in one message: no error")
	}
}

// TestMarshalRoundTrip shows that what an application publishes is what the
// worker reads.
func TestMarshalRoundTrip(t *testing.T) {
	t.Parallel()
	want := event.Event{
		Kind: event.KindUserFeedback, RequestID: "r", OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		TraceContext: event.TraceContext{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		Input:        event.Text("a \"quoted\" <question>"), Output: event.JSON(json.RawMessage(`{"a":[1,2]}`)),
		Retrieval: &event.Retrieval{HitCount: new(int64(0)), Chunks: []event.Chunk{{ID: "c1", Text: "passage", Score: new(0.5)}}},
		ToolCalls: []event.ToolCall{{Name: "lookup", Arguments: event.JSON(json.RawMessage(`{"id":1}`)), Status: "error"}},
		CacheHit:  new(false), UserRating: event.RatingUp,
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := event.DecodeStrict(b)
	if err != nil {
		t.Fatal(err)
	}
	want.Input = got.Input // the same text, with its brackets escaped
	if d := testdiff.Of(&want, got); d != "" || got.Input.Text() != `a "quoted" <question>` {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// FuzzDecode: no input panics, every error is permanent, an answer is part of the
// output's text, headers and body have the same envelope, what is ignored has a name of
// the closed set, and an event that is written again is read as the same event.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(logLine))
	f.Add([]byte(`{"event":"llm_user_feedback","request_id":1,"user_rating":"up","trace_context":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","x-datadog-trace-id":"12"},"trace_id":"77"}`))
	f.Add([]byte(`{"event":"llm_request_completed","request_id":"r","output":` + strings.Repeat("[", 600) + "\"]"))
	f.Add([]byte(`{"event":"llm_request_completed","request_id":"r","output_tokens":"312.0","latency_ms":NaN,"status":200,"user_rating":true,"context":["a"],"streaming":"true","retrieval":{"documents":[{"page_content":"x","metadata":{"source":7}},"y"]}}`))
	f.Add([]byte(`{"event":"llm_request_completed","request_id":"r","output":{"role":"assistant","content":"x"},"tool_calls":[{}]}`))
	for _, members := range []string{chatCompletion, openAIResponse, anthropicMessage, geminiResponse, bedrockResponse, vercelResult, ollamaChat, cohereChat, langChain} {
		f.Add(body(members))
		f.Add(body(`"output":{` + members + `},"usage":{"prompt_tokens":1},"request":{"model":"m","messages":[{"role":"user","content":"Hi"}]},"latency":"1s","stop_reason":"x"`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event.Decode(data)
		if err != nil {
			if _, ok := errors.AsType[*event.Error](err); !ok {
				t.Fatalf("no event.Error: %v", err)
			}
			return
		}
		_ = e.Input.Text()
		for _, name := range e.Ignored() {
			if event.Wanted(name) == "" {
				t.Errorf("%q is ignored, which is no field", name)
			}
		}
		if !slices.ContainsFunc(e.Ignored(), isStated) {
			rewritten(t, e)
		}
		if said := e.Answer(); e.Output.Text() == "" && said.Text != "" {
			t.Errorf("%+v is said by an output without text", said)
		}
		env, ok := event.EnvelopeFromHeaders(e.Headers())
		if !ok {
			t.Fatal("headers carry no envelope")
		}
		if d := testdiff.Of(e.Envelope(), env); d != "" {
			t.Errorf("headers and body differ (-body +headers):\n%s", d)
		}
	})
}

// isStated reports whether a field may be left out because members contradict each other.
// Of these the written event keeps one at most, so it reads as another event.
func isStated(field string) bool {
	switch field {
	case "usage", "input_tokens", "output_tokens", "total_tokens", "model", "finish_reason", "llm_latency_ms", "first_token_latency_ms":
		return true
	}
	return false
}

// rewritten compares an event with what its JSON is read as.
func rewritten(t *testing.T, e *event.Event) {
	t.Helper()
	first, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := event.Decode(first)
	if err != nil || again.Ignored() != nil {
		t.Fatalf("%s: %v, ignored %q", first, err, again.Ignored())
	}
	second, err := json.Marshal(again)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("written %s\nthen %s, %v", first, second, err)
	}
}
