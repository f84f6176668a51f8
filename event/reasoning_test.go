package event_test

import (
	"encoding/json"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

func TestReasoning(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]event.Answer{
		"<think>\nhmm\n</think>\n\nParis.":            {Text: "Paris.", Reasoning: "hmm"},
		"\n <THINK>hmm</THINK>Paris.":                 {Text: "Paris.", Reasoning: "hmm"},
		"<think></think>\n\nParis.":                   {Text: "Paris."},
		"<think>a</think><think>b</think>Paris.":      {Text: "Paris.", Reasoning: "a\nb"},
		"<thinking>hmm</thinking>Paris.":              {Text: "Paris.", Reasoning: "hmm"},
		"<thought>hmm</thought>Paris.":                {Text: "Paris.", Reasoning: "hmm"},
		"<reasoning>hmm</reasoning>\nParis.":          {Text: "Paris.", Reasoning: "hmm"},
		"[THINK]hmm[/THINK]Paris.":                    {Text: "Paris.", Reasoning: "hmm"},
		"<seed:think>hmm</seed:think>Paris.":          {Text: "Paris.", Reasoning: "hmm"},
		"◁think▷hmm◁/think▷Paris.":                    {Text: "Paris.", Reasoning: "hmm"},
		"<|START_THINKING|>hmm<|END_THINKING|>Paris.": {Text: "Paris.", Reasoning: "hmm"},
		"<think>hmm":                                     {Reasoning: "hmm"},
		"<think>":                                        {},
		"hmm\n</think>\n\nParis.":                        {Text: "Paris.", Reasoning: "hmm"},
		"hmm.</think>Paris.":                             {Text: "Paris.", Reasoning: "hmm."},
		"</think>\n\nParis.":                             {Text: "Paris."},
		"Is it {\"a\":1}?\n</think>\n{\"a\":2}":          {Text: `{"a":2}`, Reasoning: `Is it {"a":1}?`},
		"{\"a\":1} or\n</think>\n{\"a\":2}":              {Text: `{"a":2}`, Reasoning: `{"a":1} or`},
		"<think>{\"a\":1}</think>{\"a\":\"caf\\u00e9\"}": {Text: `{"a":"café"}`, Reasoning: `{"a":1}`},
		"<|channel|>analysis<|message|>hmm<|end|><|start|>assistant<|channel|>final<|message|>Paris.<|return|>": {Text: "Paris.", Reasoning: "hmm"},
		"<|start|>assistant<|channel|>final<|constrain|>json<|message|>{\"a\":\"<|x\"}":                         {Text: `{"a":"<|x"}`},
		"<|channel|>analysis<|message|>hmm": {Reasoning: "hmm"},
		"<|channel|>analysis":               {},
		"<|channel|>analysis<|message|>hmm<|end|><|start|>assistant<|channel|>commentary<|message|>I'll look.<|end|>": {Text: "I'll look.", Reasoning: "hmm"},
		"analysisThe user asks.assistantfinalParis.":                                                                  {Text: "Paris.", Reasoning: "The user asks."},

		// Words of an answer.
		"The tag <think> opens it and </think> closes it.": {Text: "The tag <think> opens it and </think> closes it."},
		"Use </think>\nto close it.":                       {Text: "Use </think>\nto close it."},
		"Write `</think>` at the end.":                     {Text: "Write `</think>` at the end."},
		"It ends with \"</think>\".":                       {Text: "It ends with \"</think>\"."},
		"Like this:\n```\nhmm\n</think>\nParis\n```\n":     {Text: "Like this:\n```\nhmm\n</think>\nParis\n```\n"},
		"```\n<think>hmm</think>\n```":                     {Text: "```\n<think>hmm</think>\n```"},
		"`<think>` is a tag.":                              {Text: "`<think>` is a tag."},
		`{"a":"x</think>y"}`:                               {Text: `{"a":"x</think>y"}`},
		`["<think>"]`:                                      {Text: `["<think>"]`},
		"<p>Paris.</p>":                                    {Text: "<p>Paris.</p>"},
		"[1] Paris.":                                       {Text: "[1] Paris."},
		"analysis of the market: assistantfinal":           {Text: "analysis of the market: assistantfinal"},
		"analysis":                                         {Text: "analysis"},
	} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, output := range []string{
			string(quoted), `{"role":"assistant","content":` + string(quoted) + `}`, `{"role":"assistant","content":[{"type":"text","text":` + string(quoted) + `}]}`,
		} {
			e := decode(t, `"output":`+output)
			if d := testdiff.Of(want, e.Answer()); d != "" {
				t.Errorf("%s (-want +got):\n%s", output, d)
			}
			if reply := e.Output.Reply(); reply != want.Text {
				t.Errorf("%s: a reader is shown %q", output, reply)
			}
		}
		// What a user writes is never reasoning.
		if got := decode(t, `"input":`+string(quoted)).Input.Text(); got != text && want.Reasoning+want.Text != `{"a":1}{"a":"café"}` {
			t.Errorf("the input %q is read as %q", text, got)
		}
	}
}

// TestHarmonyCalls: a message to a function is a call.
func TestHarmonyCalls(t *testing.T) {
	t.Parallel()
	e := &event.Event{Output: event.Text("<|channel|>analysis<|message|>hmm<|end|><|start|>assistant<|channel|>commentary to=functions.lookup <|constrain|>json<|message|>{\"id\":7}<|call|>")}
	a := e.Answer()
	if !a.OnlyCallsTools() || len(a.Calls) != 1 || a.Calls[0].Name != "lookup" || a.Calls[0].Arguments.Plain() != `{"id":7}` || a.Reasoning != "hmm" {
		t.Errorf("%+v", a)
	}
}
