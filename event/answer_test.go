package event_test

import (
	"reflect"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// TestAnswer reads outputs in the forms that providers and their libraries write.
func TestAnswer(t *testing.T) {
	t.Parallel()
	const call = `[{"id":"c1","type":"function","function":{"name":"lookup","arguments":"{}"}}]`
	onlyCalls := event.Answer{CallsTools: true}
	value := func(text string) event.Answer { return event.Answer{Text: text, JSON: true} }
	for name, tt := range map[string]struct {
		fields string
		want   event.Answer
	}{
		"text":                             {`"output":"Hello."`, event.Answer{Text: "Hello."}},
		"message":                          {`"output":{"role":"assistant","content":"Hello.","refusal":null,"tool_calls":null,"function_call":null}`, event.Answer{Text: "Hello."}},
		"message, parts":                   {`"output":{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"thinking"},{"type":"text","text":"b"}]}`, event.Answer{Text: "a\nb"}},
		"message, a value":                 {`"output":{"role":"assistant","content":{"a": 1}}`, value(`{"a":1}`)},
		"message, a value with a text":     {`"output":{"role":"assistant","content":{"text":"a","score":1}}`, value(`{"text":"a","score":1}`)},
		"message, values with texts":       {`"output":{"role":"assistant","content":[{"text":"a","score":1}]}`, value(`[{"text":"a","score":1}]`)},
		"message, one part":                {`"output":{"role":"assistant","content":{"type":"text","text":"a"},"model":"m","stopReason":"endTurn"}`, event.Answer{Text: "a", FinishReason: "endTurn"}},
		"message, an empty value":          {`"output":{"role":"assistant","content":{}}`, value(`{}`)},
		"message, a list of values":        {`"output":{"role":"assistant","content":[1, 2]}`, value(`[1,2]`)},
		"chat":                             {`"output":[{"role":"user","content":"?"},{"role":"assistant","content":"Hello."}]`, event.Answer{Text: "Hello."}},
		"value":                            {`"output":{"a": 1}`, value(`{"a": 1}`)},
		"value with a role":                {`"output":{"role":"admin","content":"x"}`, value(`{"role":"admin","content":"x"}`)},
		"values with roles":                {`"output":[{"role":"CEO","name":"Ada"},{"role":"CTO","name":"Grace"}]`, value(`[{"role":"CEO","name":"Ada"},{"role":"CTO","name":"Grace"}]`)},
		"document in a string":             {`"output":"{\"reply\":\"caf\\u00e9\"}"`, event.Answer{Text: `{"reply":"café"}`}},
		"backslashes in text":              {`"output":"C:\\users \\u00e9"`, event.Answer{Text: `C:\users \u00e9`}},
		"document in a message":            {`"output":{"role":"assistant","content":"{\"reply\":\"caf\\u00e9\"}"}`, event.Answer{Text: `{"reply":"café"}`}},
		"parts alone":                      {`"output":[{"type":"thinking"},{"type":"text","text":"Hello."}]`, event.Answer{Text: "Hello."}},
		"parts alone, calls":               {`"output":[{"type":"tool_use","name":"lookup"}]`, onlyCalls},
		"values with types":                {`"output":[{"type":"bug","text":"x"}]`, value(`[{"type":"bug","text":"x"}]`)},
		"response":                         {`"output":{"id":"r","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":"I can not help."}}]}`, event.Answer{Text: "I can not help.", Refusal: true}},
		"response, calls":                  {`"output":{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":` + call + `}}]}`, onlyCalls},
		"value with choices":               {`"output":{"choices":["a","b"]}`, value(`{"choices":["a","b"]}`)},
		"nothing":                          {`"input":"x"`, event.Answer{}},
		"empty text":                       {`"output":""`, event.Answer{}},
		"empty message":                    {`"output":{"role":"assistant","content":null}`, event.Answer{}},
		"empty message, null calls":        {`"output":{"role":"assistant","content":null,"refusal":null,"tool_calls":null}`, event.Answer{}},
		"empty message, no calls":          {`"output":{"role":"assistant","content":"","tool_calls":[]}`, event.Answer{}},
		"word tool_calls in an answer":     {`"output":{"role":"assistant","content":"","name":"\"tool_calls\""}`, event.Answer{}},
		"calls, content null":              {`"output":{"role":"assistant","content":null,"tool_calls":` + call + `}`, onlyCalls},
		"calls, content empty":             {`"output":{"role":"assistant","content":"","tool_calls":` + call + `}`, onlyCalls},
		"calls, no content":                {`"output":{"role":"assistant","tool_calls":` + call + `}`, onlyCalls},
		"call of a function":               {`"output":{"role":"assistant","content":null,"function_call":{"name":"lookup","arguments":"{}"}}`, onlyCalls},
		"calls, parts":                     {`"output":{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"lookup","input":{}}]}`, onlyCalls},
		"calls at the end of a chat":       {`"output":[{"role":"user","content":"?"},{"role":"assistant","tool_calls":` + call + `}]`, onlyCalls},
		"calls of the event, empty output": {`"output":"","tool_calls":[{"name":"lookup"}]`, onlyCalls},
		"calls of the event, no output":    {`"output":null,"tool_calls":[{"name":"lookup"}]`, onlyCalls},
		"calls and text":                   {`"output":{"role":"assistant","content":[{"type":"text","text":"Let me see."},{"type":"tool_use"}]}`, event.Answer{Text: "Let me see.", CallsTools: true}},
		"refusal":                          {`"output":{"role":"assistant","content":null,"refusal":"I can not help."}`, event.Answer{Text: "I can not help.", Refusal: true}},
		"refusal, parts":                   {`"output":{"role":"assistant","content":[{"type":"refusal","refusal":"I can not help."}]}`, event.Answer{Text: "I can not help.", Refusal: true}},
		"refusal beside text":              {`"output":{"role":"assistant","content":"Hello.","refusal":"I can not help."}`, event.Answer{Text: "Hello."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := decode(t, tt.fields)
			if d := testdiff.Of(tt.want, withoutCalls(e.Answer())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if only := e.Answer().OnlyCallsTools(); only != reflect.DeepEqual(tt.want, onlyCalls) {
				t.Errorf("only calls tools: %t", only)
			}
		})
	}
}

// withoutCalls returns an answer without its calls, which tests of their own compare.
func withoutCalls(a event.Answer) event.Answer {
	a.Calls, a.UnreadCalls = nil, 0
	return a
}

func TestTurns(t *testing.T) {
	t.Parallel()
	e := decode(t, `"input":[
		{"role":"user","content":"Where is my order?"},
		{"role":"assistant","content":[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"t1","name":"track","input":{"order":7}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"in Évreux"},{"type":"tool_result","content":[{"type":"text","text":"by ship"},{"type":"image"}]}]},
		{"role":"User","content":[{"type":"tool_result","content":{"days": 2}},{"type":"text","text":"And now?"}]},
		{"role":"assistant","content":null,"refusal":"I can not say."}]`)
	want := []event.Turn{
		{Role: "user", Content: "Where is my order?"},
		{Role: "assistant", Content: "Let me see."},
		{Role: "tool", Content: "in Évreux\nby ship\n[image]"},
		{Role: "user", Content: "{\"days\":2}\nAnd now?"},
		{Role: "assistant", Content: "I can not say."},
	}
	got, ok := e.Input.Turns()
	if d := testdiff.Of(want, got); !ok || d != "" {
		t.Errorf("chat: %t (-want +got):\n%s", ok, d)
	}
	for _, fields := range []string{`"input":[]`, `"input":[{"role":"user","content":"x"},{"role":"CEO","name":"Ada"}]`, `"input":[{"role":"user","content":"x"},1]`, `"input":[` + items(`{"role":"user","content":"x"}`, event.MaxItems+1) + `]`} {
		if got, ok := decode(t, fields).Input.Turns(); ok {
			t.Errorf("%.60s is a chat: %.60v", fields, got)
		}
	}
}

func decode(t *testing.T, fields string) *event.Event {
	t.Helper()
	e, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"r",` + fields + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
