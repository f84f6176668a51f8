//go:build go1.26

package event_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
)

// items returns n copies of an item, separated by commas.
func items(item string, n int) string {
	return strings.TrimSuffix(strings.Repeat(item+",", n), ",")
}

func TestLongLists(t *testing.T) {
	t.Parallel()
	const most = event.MaxItems
	for name, tt := range map[string]struct{ fields, want string }{
		"as many calls as allowed":           {`"tool_calls":[` + items(`{"name":"a,b"}`, most) + `]`, ""},
		"one call more":                      {`"tool_calls":[` + items(`{}`, most+1) + `]`, "tool_calls"},
		"name in capitals, escaped":          {`"TOOL\u005fCALLS":[` + items(`{}`, most+1) + `]`, "tool_calls"},
		"name that stands twice":             {`"tool_calls":[` + items(`null`, most+1) + `],"tool_calls":[]`, "tool_calls"},
		"as many chunks as allowed":          {`"retrieval":{"chunks":[` + items(`{"text":"a","score":1}`, most) + `]}`, ""},
		"one chunk more":                     {`"retrieval":{"chunks":[` + items(`{"text":"a"}`, most+1) + `]}`, "retrieval.chunks"},
		"one trace header more":              {`"trace_context":{` + items(`"a":1`, most+1) + `}`, "trace_context"},
		"an output that is a list":           {`"output":[` + items(`{"tool_calls":1}`, 3*most) + `]`, ""},
		"arguments that are a list":          {`"tool_calls":[{"arguments":[` + items(`1`, 3*most) + `]}]`, ""},
		"a field that is not known":          {`"chunks":[` + items(`1`, 3*most) + `]`, ""},
		"commas in a text":                   {`"output":"` + strings.Repeat(`a, \"b\", `, most) + `"`, ""},
		"a truncated list, and not an event": {`"tool_calls":[` + items(`{}`, most+1), "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := "malformed: " + tt.want + ": more than 10000 items"
			switch tt.want {
			case "":
				want = ""
			case "invalid":
				want = "malformed: invalid JSON"
			}
			_, err := event.Decode([]byte(`{"event":"llm_request_completed","request_id":"r",` + tt.fields + `}`))
			if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("err = %v, want %q", err, want)
			}
		})
	}
}

// TestDecodeTakesLittleMore bounds the memory that an event takes beyond its own
// bytes. It cannot run in parallel: it counts the process's memory.
func TestDecodeTakesLittleMore(t *testing.T) {
	const size = 2 << 20
	for name, parts := range map[string][3]string{
		"tool calls":    {`"tool_calls":[`, `{}`, `]`},
		"chunks":        {`"retrieval":{"chunks":[`, `{}`, `]}`},
		"trace headers": {`"trace_context":{`, `"":1`, `}`},
		"chat":          {`"output":[`, `{"role":"a","content":[]}`, `]`},
		"parts":         {`"output":{"role":"assistant","content":[`, `{}`, `]}`},
		"texts":         {`"output":{"role":"assistant","content":[`, `{"text":"a"}`, `]}`},
		"items":         {`"output":[`, `{"type":"output_text","text":"a"}`, `]`},
		"candidates":    {`"output":[`, `{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}`, `]`},
		"thoughts":      {`"output":"`, `<think>a</think>`, `"`},
		"channels":      {`"output":"`, `<|start|><|channel|>final<|message|>a`, `"`},
		"tokens":        {`"output":"<|start|><|message|>`, `<|`, `"`},
		"tags":          {`"output":"`, `x </think>`, `"`},
		"data":          {`"output":"`, `data:;base64,A `, `"`},
		"messages":      {`"input":{"messages":[`, `{"role":"a","content":[]}`, `]}`},
		"nested":        {`"output":[`, strings.Repeat(`{"type":"message","role":"assistant","content":[`, 200) + strings.Repeat(`]}`, 200), `]`},
	} {
		body := []byte(`{"event":"llm_request_completed","request_id":"r",` + parts[0] + items(parts[1], size/(len(parts[1])+1)) + parts[2] + `}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := event.Decode(body)
		if err == nil {
			_ = e.Answer()
			_ = e.Output.Reply()
			_ = e.Input.Text()
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 20*size {
			t.Errorf("%s: %d MiB of JSON allocate %d MiB", name, size>>20, took>>20)
		}
		runtime.KeepAlive(e)
	}
}

// usual returns an event as an application publishes it, of about that many bytes.
func usual(b *testing.B, size int) []byte {
	b.Helper()
	data, err := json.Marshal(event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req_1", Service: "support", Environment: "prod", Feature: "support_agent",
		PromptName: "triage", PromptVersion: "3", Provider: "openai", Model: "m", Status: "success", FinishReason: "stop",
		InputTokens: new(int64(1840)), OutputTokens: new(int64(312)), LatencyMS: new(1430.5), EstimatedCostUSD: new(0.0098),
		TraceContext: event.TraceContext{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		Retrieval:    &event.Retrieval{Index: "help", TopScore: new(0.8), Chunks: []event.Chunk{{ID: "c1", Text: strings.Repeat("passage ", size/32)}}},
		Input:        event.Text(strings.Repeat("question ", size/36)), Output: event.Text(strings.Repeat("answer ", size/28)),
		ToolCalls: []event.ToolCall{{Name: "lookup", Arguments: event.JSON([]byte(`{"id":1}`))}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkDecode(b *testing.B) {
	for name, data := range map[string][]byte{
		"line":   []byte(logLine),
		"2KB":    usual(b, 2<<10),
		"32KB":   usual(b, 32<<10),
		"commas": bytes.Replace(usual(b, 2<<10), []byte(`"input":"`), []byte(`"input":"`+strings.Repeat("a, b. ", 20_000)), 1),
		"calls":  []byte(`{"event":"llm_request_completed","request_id":"r","tool_calls":[` + items(`{"name":"lookup","arguments":{"id":1}}`, 9000) + `]}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := event.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
