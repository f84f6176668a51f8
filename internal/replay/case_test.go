package replay_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/replay"
)

func TestFromCase(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"event":"llm_request_completed","request_id":"r1","case_id":"c","verdict":{}}`:                                    `{"event":"llm_request_completed","request_id":"r1","case_id":"c","verdict":{}}`,
		`{"case_id":"c","request_id":"r1","output":"a"}`:                                                                    `{"case_id":"c","request_id":"r1","output":"a"}`,
		`{"request_id":"r1","verdict":{},"output":"case_id"}`:                                                               `{"request_id":"r1","verdict":{},"output":"case_id"}`,
		`{"case_id":"c","verdict":{},"request_id":"r1"`:                                                                     `{"case_id":"c","verdict":{},"request_id":"r1"`,
		`{"case_id":"c","status":"candidate","reason":"x","request_id":"r1","verdict":{"outcome":"fail"},"new_member":[1]}`: `{"event":"llm_request_completed","request_id":"r1","new_member":[1]}`,
		`{"case_id":"c","query":"q\u0022","chunks":[{"id":"1"}],"verdict":{},"output":{"a":1}}`:                             `{"event":"llm_request_completed","output":{"a":1},"retrieval":{"query":"q\u0022","chunks":[{"id":"1"}]}}`,
		`{"case_id":"c","type":"user_feedback","user_rating":"down","verdict":{}}`:                                          `{"event":"llm_user_feedback","user_rating":"down"}`,
		`{"case_id":"c","span_id":"1234567890123456","span_id_decimal":"1311768467284833366","verdict":{}}`:                 `{"event":"llm_request_completed","span_id":"0x1234567890123456"}`,
		`{"case_id":"c","span_id":"1234567890123456","verdict":{}}`:                                                         `{"event":"llm_request_completed","span_id":"1234567890123456"}`,
		`level=info`: `level=info`,
		``:           ``,
	} {
		if got := string(replay.FromCase([]byte(in))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

// TestFromCaseReadsAnExport: each member that an export writes becomes the event's.
func TestFromCaseReadsAnExport(t *testing.T) {
	t.Parallel()
	x := datasets.Exemplar{
		RequestID: "r1", Environment: "prod", Feature: "support", PromptName: "hours", PromptVersion: "v1", Provider: "openai", Model: "gpt-x",
		TraceID: "0000000000000000ab54a98ceb1f0ad2", TraceIDDecimal: "12345678901234567890", SpanID: "0020000000000001", SpanIDDecimal: "9007199254740993", Input: json.RawMessage(`"When?"`), Output: json.RawMessage(`"No."`),
		Expected: json.RawMessage(`"Nine."`), OutputSchema: "reply", Query: "hours", Chunks: []event.Chunk{{ID: "faq", Text: "Nine."}},
		ToolCalls: []event.ToolCall{{Name: "look"}}, Tools: json.RawMessage(`["look"]`), UserRating: "down", Comment: "bad",
		Failure: datasets.Failure{Outcome: eval.OutcomeFail, Reason: "refusal", Policy: "p", Probability: 1},
	}
	line, err := json.Marshal(datasets.Row{CaseID: "c", Evaluator: "refusal", Type: eval.TypeRule, Reason: "refusal", Status: datasets.StatusCandidate, Count: 2, Exemplar: x})
	if err != nil {
		t.Fatal(err)
	}
	if !replay.IsCase(line) {
		t.Fatal("an exported case is not recognised")
	}
	got, err := event.DecodeStrict(replay.FromCase(line))
	if err != nil {
		t.Fatal(err)
	}
	trace, span := got.Origin()
	back := datasets.Exemplar{
		RequestID: got.RequestID, Environment: got.Environment, Feature: got.Feature, PromptName: got.PromptName, PromptVersion: got.PromptVersion,
		Provider: got.Provider, Model: got.Model, TraceID: trace.String(), TraceIDDecimal: strconv.FormatUint(trace.Lo, 10), SpanID: fmt.Sprintf("%016x", uint64(span)), SpanIDDecimal: span.String(), Input: got.Input.Raw(), Output: got.Output.Raw(),
		Expected: got.Expected.Raw(), OutputSchema: got.OutputSchema, Query: got.Retrieval.Query, Chunks: got.Retrieval.Chunks,
		ToolCalls: got.ToolCalls, Tools: got.Tools.Raw(), UserRating: got.UserRating, Comment: got.Comment, Failure: x.Failure,
	}
	if diff := cmp.Diff(x, back); diff != "" {
		t.Errorf("exemplar (-exported +read):\n%s", diff)
	}
}

// FuzzFromCase: what is made of a case is JSON of the same members, but for the case's
// own.
func FuzzFromCase(f *testing.F) {
	f.Add([]byte(`{"case_id":"c","verdict":{},"query":"q","output":"x"}`))
	f.Add([]byte(`{"case_id":"c","verdict":1,"Event":2,"a\u0062":3}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		out := replay.FromCase(line)
		if !replay.IsCase(line) || !json.Valid(line) {
			if string(out) != string(line) {
				t.Fatalf("%q became %q", line, out)
			}
			return
		}
		if !json.Valid(out) || replay.IsCase(out) || replay.Member(out, "event") == nil {
			t.Fatalf("%q became %q", line, out)
		}
	})
}
