package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestReadCall: every form has one normal form, which is read again as the same call.
func TestReadCall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ call, normal string }{
		"ours":                {`{"name":"f","arguments":{"a": 1},"status":"success","latency_ms":1.5,"retry_count":2,"result":[1]}`, `{"name":"f","arguments":{"a":1},"status":"success","latency_ms":1.5,"retry_count":2,"result":[1]}`},
		"OpenAI":              {`{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}`, `{"name":"f","arguments":"{\"a\":1}"}`},
		"OpenAI, custom":      {`{"id":"c","type":"custom","custom":{"name":"f","input":"x"}}`, `{"name":"f","type":"custom","arguments":"x"}`},
		"Responses":           {`{"type":"function_call","name":"f","arguments":"{}","status":"completed"}`, `{"name":"f","arguments":"{}","status":"completed"}`},
		"Responses, custom":   {`{"type":"custom_tool_call","name":"f","input":"x"}`, `{"name":"f","type":"custom","arguments":"x"}`},
		"Responses, MCP":      {`{"type":"mcp_call","server_label":"s","name":"f","arguments":"{}","output":"x","error":null}`, `{"name":"f","type":"server","arguments":"{}","result":"x"}`},
		"Responses, approval": {`{"type":"mcp_approval_request","server_label":"s","name":"f","arguments":"{}"}`, `{"name":"f","type":"server","arguments":"{}"}`},
		"web search":          {`{"type":"web_search_call","status":"completed","action":{"type":"search"}}`, `{"name":"web_search","type":"server","arguments":{"type":"search"},"status":"completed"}`},
		"file search":         {`{"type":"file_search_call","queries":["x"],"results":[],"status":"completed"}`, `{"name":"file_search","type":"server","arguments":["x"],"status":"completed","result":[]}`},
		"code":                {`{"type":"code_interpreter_call","code":"x","outputs":[1],"status":"failed"}`, `{"name":"code_interpreter","type":"server","arguments":"x","status":"failed","result":[1]}`},
		"Anthropic":           {`{"type":"tool_use","id":"t","name":"f","input":{}}`, `{"name":"f","arguments":{}}`},
		"Anthropic, server":   {`{"type":"server_tool_use","id":"t","name":"f","input":{}}`, `{"name":"f","type":"server","arguments":{}}`},
		"Gemini":              {`{"functionCall":{"name":"f","args":{}},"thoughtSignature":"x"}`, `{"name":"f","arguments":{}}`},
		"Gemini, no args":     {`{"functionCall":{"name":"f"}}`, `{"name":"f"}`},
		"Gemini, code":        {`{"executableCode":{"code":"x"}}`, `{"name":"code_execution","type":"server","arguments":{"code":"x"}}`},
		"Vercel, output":      {`{"type":"tool-f","toolCallId":"t","state":"output-available","input":{},"output":7}`, `{"name":"f","arguments":{},"status":"output-available","result":7}`},
		"Vercel, error":       {`{"type":"tool-f","toolCallId":"t","state":"output-error","rawInput":"x","errorText":"y"}`, `{"name":"f","arguments":"x","status":"output-error"}`},
		"LangChain, invalid":  {`{"type":"invalid_tool_call","name":"f","args":"x","error":"y"}`, `{"name":"f","arguments":"x","status":"error"}`},
		"other spellings":     {`{"Tool_Name":"f","TOOL-INPUT":{},"durationMs":"12","Retry_Count":"3"}`, `{"name":"f","arguments":{},"latency_ms":12,"retry_count":3}`},
		"escaped member":      {`{"n\u0061me":"f"}`, `{"name":"f"}`},
		"status, error":       {`{"name":"f","status":"completed","error":{"code":1}}`, `{"name":"f","status":"error"}`},
		"status, a flag":      {`{"name":"f","success":true}`, `{"name":"f","status":"success"}`},
		"status, a number":    {`{"name":"f","status":404}`, `{"name":"f","status":"404"}`},
		"wrong types":         {`{"name":"f","status":{},"latency_ms":[],"retry_count":1.5}`, `{"name":"f"}`},
		"unknown":             {`{"verb":"f"}`, `{"arguments":{"verb":"f"}}`},
		"unknown, again":      {`{"arguments":{"verb":"f"}}`, `{"arguments":{"verb":"f"}}`},
		"no name":             {`{"arguments":{},"status":"error"}`, `{"arguments":{},"status":"error"}`},
		"no members":          {`{}`, `{}`},
		"null":                {`null`, `{}`},
		"a text":              {`"f"`, `{"arguments":"f"}`},
		"a result":            {`{"type":"tool_result","name":"f"}`, `{"arguments":{"type":"tool_result","name":"f"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c, again ToolCall
			unmarshal(t, tt.call, &c)
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			unmarshal(t, string(b), &got)
			unmarshal(t, tt.normal, &want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %s, want %s", b, tt.normal)
			}
			unmarshal(t, string(b), &again)
			if !reflect.DeepEqual(compacted(c), compacted(again)) {
				t.Errorf("read again: %+v, want %+v", again, c)
			}
			if _, ok := readCall(json.RawMessage(tt.call)); ok != (c.Name != "") {
				t.Errorf("readCall reports %t", ok)
			}
		})
	}
}

func unmarshal(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// compacted returns a call without the white space of its JSON.
func compacted(c ToolCall) ToolCall {
	for _, content := range []*Content{&c.Arguments, &c.Result} {
		if raw := content.Raw(); raw != nil {
			*content = Content{}
			if b, err := json.Marshal(raw); err == nil {
				*content = JSON(b)
			}
		}
	}
	return c
}

func TestCallStatus(t *testing.T) {
	t.Parallel()
	for want, statuses := range map[string]string{
		"succeeded": "success, Succeeded, OK, completed, complete, done, executed, passed, 200, 201, 200.0, output-available",
		"failed":    "error, Errored, FAILED, failure, timeout, timed_out, Timed out, denied, rejected, cancelled, canceled, output-error, output-denied, incomplete, 400, 404, 500, 503",
		"pending":   "pending, running, in_progress, IN PROGRESS, queued, input-streaming, input-available, approval-requested, searching, partial-call",
		"unknown":   "refunded, not_found, 100, 302, 4040, 4xx, found, created, shipped, ",
	} {
		for status := range strings.SplitSeq(statuses, ", ") {
			c := ToolCall{Name: "f", Status: status}
			got := "unknown"
			for is, ok := range map[string]bool{"succeeded": c.Succeeded(), "failed": c.Failed(), "pending": c.Pending()} {
				if ok {
					got = is
				}
			}
			if got != want {
				t.Errorf("%q: %s, want %s", status, got, want)
			}
		}
	}
}

// FuzzCalls: a call and a definition are read whatever they are, and a call is read
// as the same again from what is written of it.
func FuzzCalls(f *testing.F) {
	for _, seed := range []string{
		`{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}`, `{"type":"tool-f","state":"call","toolCallId":"t"}`, `"{\"name\":\"f\"}"`,
		`{"name":"f","arguments":null,"Arguments":{},"function":{"function":{"function":{"function":{"name":"g"}}}}}`, `{"arguments":{}}`, `{"name":"f","result":{"isError":true}}`,
		`[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]},{"googleSearch":{}}]`, `{"tools":[[["f"]]],"toolConfig":{"toolConfig":{}}}`,
		`{"f":{"inputSchema":{"jsonSchema":{"json":{}}}},"g":null}`, `[{"type":"mcp","allowed_tools":{"tool_names":["f"]}}]`, `"[\"f\"]"`, `{"\u0000":{"name":"\ud800"}}`,
		`{"type":"tool- ","toolCallId":""}`, `{"type":"function","name":"\t","arguments":{}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		var c ToolCall
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, ok := readCall(b)
		if ok != (c.Name != "") || !reflect.DeepEqual(compacted(again), compacted(c)) {
			t.Fatalf("%s: %+v, again %+v", text, c, again)
		}
		e := Event{Tools: JSON(json.RawMessage(text))}
		offers := e.Offers()
		if !e.Tools.IsZero() && len(offers.List) > len(text) {
			t.Fatalf("%d offers", len(offers.List))
		}
		for _, o := range offers.List {
			if len(o.Schema) > 0 && !json.Valid(o.Schema) {
				t.Fatalf("schema %s", o.Schema)
			}
		}
	})
}

func BenchmarkReadCall(b *testing.B) {
	for name, call := range map[string]string{
		"ours":   `{"name":"lookup","arguments":{"id":17},"status":"success","latency_ms":12}`,
		"OpenAI": `{"id":"call_1","type":"function","function":{"name":"lookup","arguments":"{\"id\":17}"}}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var c ToolCall
				if err := json.Unmarshal([]byte(call), &c); err != nil || c.Name == "" {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestTimedOut: a timeout is found in the words of several libraries, in the status or in
// the class of the error, and not in a request that succeeded after one.
func TestTimedOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status, class string
		want          bool
	}{
		{"timeout", "", true},
		{"TIMED_OUT", "", true},
		{"504", "", true},
		{"error", "APITimeoutError", true},
		{"error", "httpx.ReadTimeout", true},
		{"error", "ETIMEDOUT", true},
		{"error", "DEADLINE_EXCEEDED", true},
		{"error", "context deadline exceeded", true},
		{"error", "408", true},
		{"", "Request timed out.", true},
		{"error", "rate_limit_exceeded", false},
		{"error", "", false},
		{"error", "5040", false},
		{"", "", false},
		{"success", "timeout", false},
		{"OK", "timeout", false},
		{"200", "timeout", false},
	} {
		e := Event{Status: tt.status, ErrorType: tt.class}
		if got := e.TimedOut(); got != tt.want {
			t.Errorf("status %q, error type %q: %t", tt.status, tt.class, got)
		}
	}
}
