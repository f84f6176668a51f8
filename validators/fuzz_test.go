package validators

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// FuzzRules: whatever a model says, every rule returns a verdict without a word of it.
func FuzzRules(f *testing.F) {
	const canary = "zqcanaryzq"
	for _, seed := range []string{
		"I'm sorry, but I cannot " + canary, "[" + canary + "] 【" + canary + "†x】 (source: " + canary + ")", "```" + canary, "1,000.50 " + canary + "'s 日本" + canary,
		canary + "@example.com", "(source:", "[", "【", "\u00a0’", "As an AI, " + strings.Repeat("unfortunately, ", 20),
	} {
		f.Add(seed)
	}
	schemas := newSchemas(f, map[string]string{"reply": replySchema})
	var all []eval.Evaluator
	for _, c := range configs() {
		all = append(all, newValidator(f, c, schemas))
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := &event.Event{
			Output: event.Text(text), Input: event.Text(text + "?"), Expected: event.Text(canary), OutputSchema: "reply",
			Retrieval: &event.Retrieval{Chunks: []event.Chunk{{ID: event.ID(text), Text: canary}, {ID: "kb_1", Text: text}}},
			ToolCalls: []event.ToolCall{{Name: text, Arguments: event.Text(text), Status: text}},
		}
		for _, v := range all {
			got := evaluate(t, v, e)
			if strings.Contains(got.Reason, canary) || len(got.Reason) > 300 || got.Score < 0 || got.Score > 1 || got.Outcome == eval.OutcomeError {
				t.Fatalf("%s: %s %v %q", v.Version(), got.Outcome, got.Score, got.Reason)
			}
		}
	})
}

// FuzzRefusal: whatever a model says, it has one of the labels or none, and what is
// marked by the provider is refused.
func FuzzRefusal(f *testing.F) {
	for _, seed := range []string{
		"I'm sorry, but I can't help with that.", "\"I can't,\" he said.", "`I can't` \"", "{\"reply\":\"I can\\u2019t\"}", "Dear Mr. X,\nI won't. However, " + strings.Repeat("a ", 30),
		"No.\n1. \n2)\n- \n* ", "Es tut mir leid, dabei kann ich nicht helfen", "申し訳ありません", "…–—’“”", "I can't" + strings.Repeat(" not", 300), strings.Repeat("i can't help, ", 200),
	} {
		f.Add(seed, "How do I do it?")
	}
	v := newValidator(f, Config{Type: "refusal"}, nil)
	f.Fuzz(func(t *testing.T, text, asked string) {
		e := &event.Event{Output: event.Text(text), Input: event.Text(asked)}
		got := evaluate(t, v, e)
		switch {
		case got.Outcome == eval.OutcomeFail && got.Label == labelRefused:
		case got.Outcome == eval.OutcomePass && (got.Label == labelPartial || got.Label == labelAnswered):
		case got.Outcome == eval.OutcomeCannotJudge && got.Label == "":
		default:
			t.Errorf("%s %q %q", got.Outcome, got.Label, got.Reason)
		}
		e.FinishReason = "content_filter"
		if got := evaluate(t, v, e); got.Label != labelRefused {
			t.Errorf("marked, and %s %q", got.Outcome, got.Label)
		}
	})
}

// FuzzTools: whatever an event offers as tools, a call of one gets a verdict.
func FuzzTools(f *testing.F) {
	for _, seed := range []string{
		`[{"name":"x","parameters":{"type":"object"}}]`, `{"x":{"$ref":"#"}}`, `{"x":{"$ref":"#/enum/0","enum":[1]}}`, `["x"]`, `[{"function":{"function":{}}}]`,
		`{"x":{"pattern":"(?=a)","properties":{"a":{"multipleOf":0}}}}`, `{"x":{"$id":"urn:x","$anchor":"y","allOf":[{"$ref":"#y"}]}}`, ` [ "x" ] `,
		`{"x":{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://example.com/a","items":[{}],"dependencies":{"a":["b"]}}}`,
		`{"x":{"$dynamicRef":"#a","$dynamicAnchor":"a","unevaluatedProperties":false}}`,
	} {
		f.Add(seed, `{"a":1,"b":[null]}`)
	}
	f.Fuzz(func(t *testing.T, tools, arguments string) {
		// A new validator for each input, because known toolsets are not compiled
		// again.
		v := newValidator(t, Config{Type: "tool_calls"}, nil)
		got, err := v.Evaluate(t.Context(), &event.Event{
			Tools:     event.JSON(json.RawMessage(tools)),
			ToolCalls: []event.ToolCall{{Name: "x", Arguments: event.Text(arguments)}},
		})
		if err == nil && (got.Outcome == eval.OutcomeError || len(got.Reason) > 300) {
			t.Fatalf("%s %q", got.Outcome, got.Reason)
		}
	})
}
