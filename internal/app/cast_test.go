package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/conformance"
)

// castPolicy is the policy for the cast. Every evaluator is limited to a feature,
// so that one feature has no evaluators.
const castPolicy = `
models:
  default: {model: judge-small, base_url: MODEL_URL, api_key: none, requests_per_minute: 0, max_attempts: 2, price: {input: 1, output: 2}}
  trouble: {model: judge-trouble, base_url: MODEL_URL, api_key: none, requests_per_minute: 0, max_attempts: 2, timeout: 20s}
evaluators:
  - {name: reply_format, type: json_schema, schema: support_reply, when: 'feature == "support_agent" && status == "success"'}
  - {name: tool_calls, type: tool_calls, when: 'feature == "support_agent"'}
  - {name: search, type: retrieval, min_hits: 1, when: 'feature == "support_agent"'}
  - {name: in_time, type: budget, max_latency_ms: 5000, when: 'feature == "support_agent"'}
  - {name: correctness, type: llm_judge, rubric: correctness, rate: 1, when: 'feature == "support_agent"'}
  - {name: safety, type: llm_judge, rubric: safety, rate: 0.25, when: 'feature == "support_agent"'}
  - {name: helpfulness, type: llm_judge, rubric: helpfulness, model: trouble, rate: 1, when: 'feature == "judge_trouble"'}
sampling:
  rules:
    - {name: unhappy users, when: 'user_rating == "down"', rate: 1, evaluators: [safety]}
`

// How an evaluation is related to the original span.
const (
	child = "child"
	link  = "link"
	none  = "none"
)

// scene is one published event and its expected end.
type scene struct {
	id      event.RequestID
	event   event.Event    // published by the emitter, unless there is a message
	message *kafka.Message // published as it is

	// want is the expected answer of each evaluator: "outcome" or "outcome:
	// reason". If nil, the event is unwanted, or dead says why it is a dead
	// letter.
	want map[string]string
	dead eval.Reason
	// mode is the relation to the original span, priority the sampling priority of
	// a trace of our own.
	mode     string
	priority int
}

// word returns a canary for one place of content.
func word(place string) string { return conformance.Canary + place }

// planted are secrets and personal data. They are assembled here, so that no file
// holds anything that looks like one.
func planted() map[string]string {
	return map[string]string{
		"e-mail":  "jane.q" + "@" + "customer-mail.example",
		"aws key": "AKIA" + strings.Repeat("Q7", 8),
		"token":   "ghp" + "_" + strings.Repeat("a1B2", 9),
		"card":    "4" + strings.Repeat("1", 15),
	}
}

// secretive returns a text that holds everything planted.
func secretive(place string) string {
	p := planted()
	return fmt.Sprintf("%s: reach me at %s, key %s, token %s, card %s.", word(place), p["e-mail"], p["aws key"], p["token"], p["card"])
}

// Ids of original spans.
const (
	traceHi  = "6745678900000000"
	spanHex  = "00f067aa0ba902b7"
	spanID   = 67667974448284343
	parentID = "67667974448284343"
)

func w3c(low uint64, flags string) event.TraceContext {
	return event.TraceContext{"traceparent": fmt.Sprintf("00-%s%016x-%s-%s", traceHi, low, spanHex, flags)}
}

func dd(low uint64, priority string) event.TraceContext {
	return event.TraceContext{
		"x-datadog-trace-id": fmt.Sprint(low), "x-datadog-parent-id": parentID,
		"x-datadog-sampling-priority": priority, "x-datadog-tags": "_dd.p.tid=" + traceHi,
	}
}

// request is a request of the support agent with a right answer, and content
// with canaries and secrets at every place.
func request(id event.RequestID, change func(*event.Event)) event.Event {
	e := event.Event{
		Kind: event.KindRequestCompleted, RequestID: id, OccurredAt: time.Now().Add(-30 * time.Second),
		Service: "support", Environment: "prod", Feature: "support_agent", TenantTier: "enterprise",
		PromptName: "support_triage", PromptVersion: "2026-06-01.3", Provider: "acme", Model: "large-2",
		Status: "success", FinishReason: "stop",
		LatencyMS: new(900.0), InputTokens: new(int64(120)), OutputTokens: new(int64(30)),
		Input:    event.Text("Where is my parcel? " + secretive("input")),
		Output:   event.Text(object("reply", "It arrives on Monday. "+secretive("output"))),
		Expected: event.Text("It arrives on Monday. " + secretive("expected")),
		Retrieval: &event.Retrieval{
			Index: "help_center", Query: secretive("query"), HitCount: new(int64(1)), TopScore: new(0.75),
			Chunks: []event.Chunk{{ID: "doc-1", Text: "Parcels arrive on Mondays. " + secretive("chunk"), Score: new(0.75)}},
		},
		ToolCalls: []event.ToolCall{{
			Name: "track_parcel", Status: "success",
			Arguments: event.JSON(json.RawMessage(object("parcel", secretive("argument")))), Result: event.Text(secretive("result")),
		}},
	}
	if change != nil {
		change(&e)
	}
	return e
}

// object returns a JSON object of one member.
func object(key, value string) string {
	b, _ := json.Marshal(map[string]string{key: value}) // strings always marshal
	return string(b)
}

// bare returns an event as a message without headers.
func bare(t *testing.T, e event.Event) *kafka.Message {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return &kafka.Message{Key: []byte(e.RequestID), Value: b}
}

// right returns the answers on a request without a fault.
func right() map[string]string {
	return map[string]string{"reply_format": "pass", "tool_calls": "pass", "search": "pass", "in_time": "pass", "correctness": "pass"}
}

// but changes some of the answers; an empty one removes the evaluator.
func but(answers map[string]string, pairs ...string) map[string]string {
	for i := 0; i < len(pairs); i += 2 {
		if answers[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(answers, pairs[i])
		}
	}
	return answers
}

// wrongProse is an answer that is neither JSON nor right, and that the model
// server takes for wrong.
func wrongProse(e *event.Event) { e.Output = event.Text("It was wrongly lost. " + secretive("output")) }

// failing are the answers on wrongProse.
func failing() map[string]string {
	return but(right(), "reply_format", "fail: no JSON", "correctness", "fail: not met: no_contradiction, answers_right")
}

// cast returns every shape of event. The trace ids are chosen such that a sample of
// a quarter contains some of them.
func cast(t *testing.T) []scene {
	t.Helper()
	traced := func(context event.TraceContext, changes ...func(*event.Event)) func(*event.Event) {
		return func(e *event.Event) {
			e.TraceContext = context
			for _, c := range changes {
				c(e)
			}
		}
	}
	asked := func(question string) func(*event.Event) {
		return func(e *event.Event) { e.Input = event.Text(question + " " + secretive("input")) }
	}
	baggage := w3c(3, "01")
	baggage["tracestate"] = "dd=s:1;o:" + word("origin") + ",other=" + word("state")
	baggage["baggage"] = "user=" + word("baggage")
	marked := dd(14, "1")
	marked["x-datadog-origin"] = word("origin")
	marked["x-datadog-tags"] += ",_dd.p.usr.id=" + word("tag")
	scenes := []scene{
		{id: "w3c-pass", event: request("w3c-pass", traced(w3c(1, "01"))), want: but(right(), "safety", "pass"), mode: child},
		{id: "w3c-fail", event: request("w3c-fail", traced(w3c(2, "01"), wrongProse)), want: but(failing(), "safety", "pass"), mode: child},
		{id: "w3c-baggage", event: request("w3c-baggage", traced(baggage)), want: right(), mode: child},
		{id: "w3c-dropped", event: request("w3c-dropped", traced(w3c(4, "00"))), want: but(right(), "safety", "pass"), mode: link, priority: 1},
		{id: "dd1-pass", event: request("dd1-pass", traced(marked)), want: right(), mode: child},
		{id: "dd0-pass", event: request("dd0-pass", traced(dd(5, "0"))), want: right(), mode: link, priority: 1},
		{id: "dd0-fail", event: request("dd0-fail", traced(dd(6, "0"), asked("Who lost parcel 4711?"), wrongProse)), want: failing(), mode: link, priority: 2},
		{id: "dd0-twin", event: request("dd0-twin", traced(dd(7, "0"), asked("who LOST parcel 815?"), wrongProse)), want: but(failing(), "safety", "pass"), mode: link, priority: 2},
		{id: "rejected", event: request("rejected", traced(dd(8, "-1"), asked("Is it gone?"), wrongProse)), want: failing(), mode: link, priority: 2},
		{id: "old", event: request("old", traced(w3c(9, "01"), func(e *event.Event) { e.OccurredAt = time.Now().Add(-11 * time.Minute) })), want: right(), mode: link, priority: 1},
		{id: "schema", event: request("schema", traced(w3c(10, "01"), asked("Is it late?"), func(e *event.Event) {
			e.Output = event.Text(object(word("key"), "It arrives on Monday."))
		})), want: but(right(), "reply_format", "fail: additionalProperties at /*"), mode: child},
		{id: "made-up-quote", event: request("made-up-quote", traced(w3c(11, "01"), func(e *event.Event) {
			e.Output = event.Text(object("reply", "Vague words. "+secretive("output")))
		})), want: but(right(), "correctness", "cannot_judge: undecided: no_contradiction"), mode: child},
		{id: "tools-fail", event: request("tools-fail", traced(w3c(12, "01"), asked("Try again?"), func(e *event.Event) {
			e.ToolCalls = append(e.ToolCalls, event.ToolCall{Name: "open_ticket", Status: "error", Arguments: event.JSON(json.RawMessage(object("subject", word("argument"))))})
			e.Retrieval = &event.Retrieval{Index: "help_center", HitCount: new(int64(0)), Query: word("query")}
		})), want: but(right(), "tool_calls", "fail: tool * failed", "search", "fail: min_hits"), mode: child},
		{id: "unhappy", event: request("unhappy", traced(w3c(13, "01"), func(e *event.Event) { e.UserRating = "down" })), want: but(right(), "safety", "pass"), mode: child},
		{id: "provider-error", event: request("provider-error", func(e *event.Event) {
			e.Status, e.ErrorType, e.LatencyMS = "error", "overloaded", new(9000.0)
			e.Output, e.ToolCalls, e.Retrieval = event.Content{}, nil, nil
		}), want: map[string]string{
			"tool_calls": "not_applicable: missing tool_calls", "search": "not_applicable: missing retrieval", "in_time": "fail: max_latency_ms",
			"correctness": "not_applicable: missing output", "safety": "not_applicable: missing output",
		}, mode: none, priority: 2},
		{
			id: "up", event: event.Event{Kind: event.KindUserFeedback, RequestID: "up", TraceContext: w3c(1, "01"), UserRating: "up", Comment: secretive("comment"), Feature: "support_agent"},
			want: map[string]string{"user_feedback": "pass"}, mode: link, priority: 1,
		},
		{
			id: "down", event: event.Event{Kind: event.KindUserFeedback, RequestID: "down", TraceContext: dd(6, "0"), UserRating: "down", Comment: secretive("comment"), Feature: "support_agent"},
			want: map[string]string{"user_feedback": "fail: user_rating"}, mode: link, priority: 2,
		},
		{id: "unwanted", event: request("unwanted", func(e *event.Event) { e.Feature = "batch_export" })},
	}
	scenes = append(scenes, plainLines(t)...)
	return append(scenes, troubles()...)
}

// plainLines are messages that no emitter wrote.
func plainLines(t *testing.T) []scene {
	t.Helper()
	line := func(id event.RequestID, change func(*event.Event)) *kafka.Message {
		m := bare(t, request(id, change))
		m.Value = append([]byte(`{"comment":NaN,`), m.Value[1:]...) // which is ignored
		return m
	}
	broken := func(id, value string, headers ...kafka.Header) *kafka.Message {
		return &kafka.Message{Key: []byte(id), Value: []byte(value), Headers: headers}
	}
	return []scene{
		{id: "line", message: line("line", func(e *event.Event) { e.TraceID = "123456789" }), want: right(), mode: none, priority: 1},
		{id: "line-span", message: line("line-span", func(e *event.Event) { e.TraceID, e.SpanID = "987654321", parentID }), want: right(), mode: link, priority: 1},
		{id: "unwanted-line", message: line("unwanted-line", func(e *event.Event) { e.Feature = "batch_export" })},
		{id: "broken", dead: eval.ReasonMalformed, message: broken("broken", `{"event":"llm_request_completed","output":"`+word("broken"),
			kafka.Header{Key: event.HeaderEvent, Value: []byte(event.KindRequestCompleted)}, kafka.Header{Key: event.HeaderRequestID, Value: []byte("broken")},
			kafka.Header{Key: "feature", Value: []byte("support_agent")}, kafka.Header{Key: "status", Value: []byte("success")})},
		{id: "unknown-kind", dead: eval.ReasonUnknownEvent, message: broken("unknown-kind", `{"event":"llm_`+word("kind")+`","request_id":"k"}`)},
		{id: "wrong-type", dead: eval.ReasonMalformed, message: broken("wrong-type",
			`{"event":"llm_request_completed","request_id":{"id":"`+word("type")+`"},"feature":"support_agent"}`)},
		{id: "no-id", dead: eval.ReasonMalformed, message: broken("no-id", `{"event":"llm_request_completed","feature":"support_agent","output":"`+word("no-id")+`"}`)},
	}
}

// troubles are events whose judge fails, each in its own way.
func troubles() []scene {
	var out []scene
	for i, trouble := range []struct{ name, reason string }{
		{"500", "unavailable"},
		{"429", "rate_limited"},
		{"401", "auth"},
		{"garbage", "unparsable"},
		{"error-in-200", "unavailable"},
		{"filtered", "content_filter"},
		{"refused", "refused"},
		{"cut-off", "truncated"},
	} {
		id := event.RequestID("trouble-" + trouble.name)
		out = append(out, scene{
			id: id, event: request(id, func(e *event.Event) {
				e.TraceContext, e.Feature = w3c(uint64(100+i), "01"), "judge_trouble"
				e.Input = event.Text("script:" + trouble.name + " " + secretive("input"))
			}),
			want: map[string]string{"helpfulness": "error: " + trouble.reason}, mode: child,
		})
	}
	return out
}
