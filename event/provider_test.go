package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// said is what a test compares of an event that holds what a provider gave.
type said struct {
	In, Out, Total       int64 // -1: absent
	Model, Finish, Input string
	Answer               string
	Calls                int
	MS                   float64
}

func saidBy(e *event.Event) said {
	n := func(p *int64) int64 {
		if p == nil {
			return -1
		}
		return *p
	}
	a := e.Answer()
	s := said{n(e.InputTokens), n(e.OutputTokens), n(e.TotalTokens), e.Model, e.FinishReason, e.Input.Text(), a.Text, len(e.ToolCalls) + len(a.Calls), 0}
	if e.LatencyMS != nil {
		s.MS = *e.LatencyMS
	}
	return s
}

// Responses as providers' libraries return them.
const (
	chatCompletion = `"id":"chatcmpl-1","object":"chat.completion","created":1769860800,"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"message":{"role":"assistant",` +
		`"content":"Hello.","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,` +
		`"prompt_tokens_details":{"cached_tokens":16,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":4}},"service_tier":"default","system_fingerprint":"fp_1"`
	openAIResponse = `"id":"resp_1","object":"response","created_at":1769860800,"status":"completed","background":false,"error":null,"incomplete_details":null,"instructions":null,` +
		`"max_output_tokens":null,"model":"gpt-5-mini","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text",` +
		`"annotations":[],"text":"Hello."}]}],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":"medium","summary":null},"store":true,"temperature":1.0,` +
		`"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":30},` +
		`"output_tokens":87,"output_tokens_details":{"reasoning_tokens":50},"total_tokens":123},"user":null,"metadata":{}`
	anthropicMessage = `"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hello."},{"type":"tool_use","id":"t1","name":"lookup",` +
		`"input":{"id":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"output_tokens":7,"service_tier":"standard"}`
	geminiResponse = `"candidates":[{"content":{"parts":[{"text":"Hello."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":20,` +
		`"thoughtsTokenCount":30,"totalTokenCount":58,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"gemini-2.5-flash","responseId":"r1"`
	bedrockResponse = `"output":{"message":{"role":"assistant","content":[{"text":"Hello."}]}},"stopReason":"end_turn","usage":{"inputTokens":30,"outputTokens":12,"totalTokens":1042,` +
		`"cacheReadInputTokens":1000,"cacheWriteInputTokens":0},"metrics":{"latencyMs":1430}`
	vercelResult = `"text":"Hello.","finishReason":"stop","usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10,"cachedInputTokens":4},"totalUsage":{"inputTokens":70,"outputTokens":30,"totalTokens":100},` +
		`"toolCalls":[{"type":"tool-call","toolCallId":"c1","toolName":"lookup","input":{"id":1}}],"response":{"id":"r","modelId":"gpt-5-mini","timestamp":"2026-01-31T12:00:00Z",` +
		`"messages":[{"role":"assistant","content":[{"type":"text","text":"Hello."}]}]}`
	ollamaChat = `"model":"llama3.2","created_at":"2026-01-31T12:00:00Z","message":{"role":"assistant","content":"Hello."},"done_reason":"stop","done":true,"total_duration":1430000000,` +
		`"load_duration":1,"prompt_eval_count":26,"prompt_eval_duration":1,"eval_count":298,"eval_duration":1`
	cohereChat = `"id":"c1","message":{"role":"assistant","content":[{"type":"text","text":"Hello."}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":5,"output_tokens":9},` +
		`"tokens":{"input_tokens":71,"output_tokens":11}}`
	langChain = `"content":"Hello.","additional_kwargs":{},"response_metadata":{"token_usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10},"model_name":"gpt-4.1","finish_reason":"stop"},` +
		`"type":"ai","name":null,"id":"run-1","tool_calls":[],"invalid_tool_calls":[],"usage_metadata":{"input_tokens":8,"output_tokens":2,"total_tokens":10,"input_token_details":{"cache_read":4}}`
)

// TestProviderObjects: what a provider's library returned is read, whether it stands in
// output, in response, is spread into the event, or is published as text.
func TestProviderObjects(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		members string
		want    said
	}{
		"OpenAI chat completion": {chatCompletion, said{19, 10, 29, "gpt-4.1-mini-2025-04-14", "stop", "", "Hello.", 0, 0}},
		"OpenAI response":        {openAIResponse, said{36, 87, 123, "gpt-5-mini", "stop", "", "Hello.", 0, 0}},
		"Anthropic":              {anthropicMessage, said{1110, 7, -1, "claude-sonnet-4-5", "tool_use", "", "Hello.", 1, 0}},
		"Gemini":                 {geminiResponse, said{8, 50, 58, "gemini-2.5-flash", "STOP", "", "Hello.", 0, 0}},
		"Bedrock":                {bedrockResponse, said{1030, 12, 1042, "", "end_turn", "", "Hello.", 0, 1430}},
		"Vercel":                 {vercelResult, said{7, 3, 10, "gpt-5-mini", "stop", "", "Hello.", 1, 0}},
		"Ollama":                 {ollamaChat, said{26, 298, -1, "llama3.2", "stop", "", "Hello.", 0, 0}},
		"Cohere":                 {cohereChat, said{71, 11, -1, "", "COMPLETE", "", "Hello.", 0, 0}},
		"LangChain":              {langChain, said{8, 2, 10, "gpt-4.1", "stop", "", "Hello.", 0, 0}},
	} {
		text, err := json.Marshal("{" + tt.members + "}")
		if err != nil {
			t.Fatal(err)
		}
		for form, fields := range map[string]string{
			"spread": tt.members, "output": `"output":{` + tt.members + `}`, "response": `"response":{` + tt.members + `}`,
			"text": `"output":` + string(text), "body": `"rawResponse":{` + tt.members + `}`,
		} {
			t.Run(name+" as "+form, func(t *testing.T) {
				t.Parallel()
				e, warned, err := event.DecodeWithWarnings(body(fields))
				if err != nil {
					t.Fatal(err)
				}
				if d := testdiff.Of(tt.want, saidBy(e)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				if len(warned.List) > 0 || e.Ignored() != nil {
					t.Errorf("%v, ignored %q", warned, e.Ignored())
				}
				if form == "spread" && name == "OpenAI response" && e.Status != "success" {
					t.Errorf("status %q", e.Status)
				}
				agree(t, e)
			})
		}
	}
}

// agree compares the envelope in headers with that of the body, also of an event that an
// application of Go made of the same output.
func agree(t *testing.T, e *event.Event) {
	t.Helper()
	fromHeaders, ok := event.EnvelopeFromHeaders(e.Headers())
	if !ok || testdiff.Of(e.Envelope(), fromHeaders) != "" {
		t.Errorf("headers %+v, body %+v", fromHeaders, e.Envelope())
	}
	made := event.Event{Kind: e.Kind, RequestID: e.RequestID, Output: e.Output}
	written, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	read, err := event.Decode(written)
	if err != nil {
		t.Fatal(err)
	}
	fromHeaders, _ = event.EnvelopeFromHeaders(made.Headers())
	if d := testdiff.Of(read.Envelope(), fromHeaders); d != "" {
		t.Errorf("of an event that has the output only (-body +headers):\n%s", d)
	}
}

// TestBesideOwnFields: single members of providers beside our own fields. want is the
// event as it is published in the proper form; warnings are those of all members.
func TestBesideOwnFields(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fields, want, ignored, warnings string }{
		// Other spellings of our own names.
		{
			`"promptVersion":"3","promptName":"p","sessionId":"s","totalTokens":7,"retrieval":{"hitCount":2}`,
			`"prompt_version":"3","prompt_name":"p","session_id":"s","total_tokens":7,"retrieval":{"hit_count":2}`, "", "",
		},
		{`"promptVersion":"3","prompt_version":"4"`, `"prompt_version":"4"`, "", ""},
		{`"latencyMs":7,"estimatedCostUsd":0.5,"userRating":"up"`, `"llm_latency_ms":7,"estimated_cost_usd":0.5,"user_rating":"up"`, "", ""},
		{
			`"traceContext":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`,
			`"trace_context":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`, "", "",
		},
		{`"promt_version":"3"`, ``, "", `unknown field "promt_version", did you mean "prompt_version"?`},

		// Counts of tokens.
		{`"usage":{"prompt_tokens":1,"completion_tokens":2},"input_tokens":9`, `"input_tokens":9,"output_tokens":2`, "", ""},
		{`"usage":{"prompt_tokens":"1","completion_tokens":2.0}`, `"input_tokens":1,"output_tokens":2`, "", ""},
		{`"usage":{"inputTokens":{"total":7,"cacheRead":3},"outputTokens":{"total":2,"text":1}}`, `"input_tokens":7,"output_tokens":2`, "", ""},
		{`"usage":{"input":7,"output":2,"total":9,"unit":"TOKENS"}`, `"input_tokens":7,"output_tokens":2,"total_tokens":9`, "", ""},
		{
			`"output":[{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]}}]},{"candidates":[{"content":{"role":"model","parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7}}]`,
			`"output":[{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]}}]},{"candidates":[{"content":{"role":"model","parts":[{"text":"b"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7}}],"input_tokens":7,"finish_reason":"STOP"`, "", "",
		},
		{
			`"response":{"status_code":200,"body":{"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}}`,
			`"output":{"status_code":200,"body":{"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}},"input_tokens":7,"finish_reason":"stop"`, "", "",
		},
		{`"usage":{"prompt_tokens":-1,"completion_tokens":2}`, `"output_tokens":2`, "usage", "usage.prompt_tokens: a JSON number, want a number of tokens"},
		{`"usage":{"prompt_tokens":NaN,"completion_tokens":2}`, ``, "usage", "usage: a JSON object, want an object with counts of tokens"},
		{`"usage":"3 tokens"`, ``, "usage", "usage: a JSON string, want an object with counts of tokens"},
		{`"usage":null`, ``, "", ""},
		{`"usage":{"prompt_tokens":1},"usageMetadata":{"promptTokenCount":2}`, ``, "input_tokens", "input_tokens: usage and usageMetadata differ, write input_tokens"},
		{`"usage":{"prompt_tokens":1},"usageMetadata":{"promptTokenCount":1}`, `"input_tokens":1`, "", ""},
		{`"usage":{"prompt_tokens":1},"usageMetadata":{"promptTokenCount":2},"input_tokens":3`, `"input_tokens":3`, "", ""},
		{`"usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":2,"total_tokens":12}`, `"input_tokens":10,"output_tokens":2,"total_tokens":12`, "", ""},
		{`"totalUsage":{"inputTokens":1,"outputTokens":2}`, `"input_tokens":1,"output_tokens":2`, "", ""},

		// Why it stopped.
		{`"finishReason":"STOP"`, `"finish_reason":"STOP"`, "", ""},
		{`"stop_reason":"end_turn"`, `"finish_reason":"end_turn"`, "", ""},
		{`"stop_reason":"end_turn","finishReason":"stop"`, `"finish_reason":"end_turn"`, "", ""},
		{`"stop_reason":"end_turn","finishReason":"length"`, ``, "finish_reason", "finish_reason: stop_reason and finishReason differ, write finish_reason"},
		{`"stop_reason":"end_turn","finish_reason":"length"`, `"finish_reason":"length"`, "", ""},
		{`"finishReason":{"unified":"stop","raw":"end_turn"}`, `"finish_reason":"stop"`, "", ""},
		{`"finishReason":true`, ``, "finish_reason", "finishReason: a JSON bool, want a string"},
		{`"finishReason":null`, ``, "", ""},

		// Times.
		{`"duration_ms":7.5`, `"llm_latency_ms":7.5`, "", ""},
		{`"latency_s":1.5`, `"llm_latency_ms":1500`, "", ""},
		{`"latency_seconds":"1.5"`, `"llm_latency_ms":1500`, "", ""},
		{`"latency":"1.5s"`, `"llm_latency_ms":1500`, "", ""},
		{`"latency":1.5`, ``, "llm_latency_ms", "latency: a number without a unit, write llm_latency_ms"},
		{`"latency":1.5,"latency_ms":1500`, `"llm_latency_ms":1500`, "", "latency: a number without a unit, write llm_latency_ms"},
		{`"duration_ms":1,"latency_s":2`, ``, "llm_latency_ms", "llm_latency_ms: duration_ms and latency_s differ, write llm_latency_ms"},
		{`"ttft_ms":90,"timeToFirstTokenMs":90`, `"first_token_latency_ms":90`, "", ""},
		{`"latency_s":1e308`, ``, "llm_latency_ms", "latency_s: a JSON number, write llm_latency_ms"},
		{`"duration":NaN`, ``, "llm_latency_ms", "duration: a JSON number that is not finite, write llm_latency_ms"},

		// Requests.
		{
			`"request":{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,"tools":[{"name":"a"}],"temperature":0}`,
			`"input":{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,"tools":[{"name":"a"}],"temperature":0},"model":"m","streaming":true,"tools":[{"name":"a"}]`, "", "",
		},
		{
			`"request":{"model":"asked","messages":[{"role":"user","content":"Hi"}]},"response":{"model":"answered","usage":{"prompt_tokens":1},"role":"assistant","content":"a"},"input":"Hi"`,
			`"input":"Hi","output":{"model":"answered","usage":{"prompt_tokens":1},"role":"assistant","content":"a"},"input_tokens":1,"model":"answered"`, "", "",
		},
		{`"request":{"method":"POST","url":"/chat"}`, ``, "", `unknown field "request", did you mean "request_id"?`},
		{
			`"messages":[{"role":"user","content":"Hi"}],"system":"Be brief, please.","max_tokens":100,"temperature":0.5`,
			`"input":{"system":"Be brief, please.","messages":[{"role":"user","content":"Hi"}]}`, "", "",
		},
		{`"messages":[{"role":"user","content":"Hi"}],"system":"billing"`, `"input":[{"role":"user","content":"Hi"}]`, "", `unknown field "system", write the whole request as input`},
		{
			`"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]}`,
			`"input":{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"system":{"parts":[{"text":"Be brief."}]}}`, "", "",
		},
		{`"prompt":"Where is my order?"`, `"input":"Where is my order?"`, "", ""},
		{`"prompt":"triage"`, ``, "", `unknown field "prompt", write input, or prompt_name`},
		{`"prompt":"Hi","prompt_name":"greeting"`, `"input":"Hi","prompt_name":"greeting"`, "", ""},

		// Responses.
		{`"output":"Hello.","response":{"model":"m","usage":{"prompt_tokens":1}}`, `"output":"Hello.","model":"m","input_tokens":1`, "", ""},
		{`"response":{"model":"m","usage":{"prompt_tokens":1}},"output":"Hello."`, `"output":"Hello.","model":"m","input_tokens":1`, "", ""},
		{`"output":"Hello.","response":{"usage":{"prompt_tokens":1}},"usage":{"prompt_tokens":2}`, `"output":"Hello."`, "input_tokens", "input_tokens: usage and response.usage differ, write input_tokens"},
		{`"output":"Hello.","text":"Another.","finishReason":"stop"`, `"output":"Hello.","finish_reason":"stop"`, "", "text: not read, because the event has another output"},
		{`"toolCalls":[{"toolName":"a","input":{}}]`, `"tool_calls":[{"name":"a","arguments":{}}]`, "", ""},

		{`"choices":[NaN]`, ``, "", "choices: not JSON, because a number in it is not finite, write null in its place"},
		{`"output":"a","response":{"x":NaN}`, `"output":"a"`, "", "response: not JSON, because a number in it is not finite, write null in its place"},
		{`"store":"berlin","n":3`, ``, "", `unknown field "store"; unknown field "n"`},

		// An application's own members that have such names by chance.
		{
			`"message":"request completed","id":7,"source":"api","metadata":{"team":"x"}`, ``, "",
			`unknown field "message", did you mean "messages"?; unknown field "id"; unknown field "source"; unknown field "metadata"`,
		},
		{`"text":"note","type":"log"`, ``, "", `unknown field "text", write output, if it is the answer; unknown field "type"`},
		{`"output":{"reply":"x","usage":"daily","model":"A4"}`, `"output":{"reply":"x","usage":"daily","model":"A4"}`, "", ""},
		{`"output":{"token":"X","total_tokens":1000000,"output_tokens":"many"}`, `"output":{"token":"X","total_tokens":1000000,"output_tokens":"many"}`, "", ""},
		// What a model writes is no fact, and no tag.
		{`"output":{"reply":"x","usage":{"prompt_tokens":"private"}}`, `"output":{"reply":"x","usage":{"prompt_tokens":"private"}}`, "", ""},
		{`"output":{"reply":"x","usage":{"prompt_tokens":7},"model":"x","finish_reason":"stop"}`, `"output":{"reply":"x","usage":{"prompt_tokens":7},"model":"x","finish_reason":"stop"}`, "", ""},
		{`"output":"{\"reply\":\"x\",\"usage\":{\"prompt_tokens\":7},\"model\":\"x\"}"`, `"output":"{\"reply\":\"x\",\"usage\":{\"prompt_tokens\":7},\"model\":\"x\"}"`, "", ""},
		{
			`"output":{"role":"assistant","content":"a","stop_reason":"the user is Ann","model":"Ann of Kent","usage":{"prompt_tokens":7}}`,
			`"output":{"role":"assistant","content":"a","stop_reason":"the user is Ann","model":"Ann of Kent","usage":{"prompt_tokens":7}},"input_tokens":7`, "", "",
		},
		{`"role":"user","content":"Hi","page":"/a"`, ``, "", `unknown field "page"; unknown field "role"; unknown field "content", write output, if it is the answer`},
		{`"choices":["a","b"]`, ``, "", `unknown field "choices", write the whole response as output`},

		// What is bad costs nothing but itself.
		{
			`"occurred_at":"2026-01-01T00:00:00","output":"a"`, `"output":"a"`, "occurred_at",
			"occurred_at: a JSON string, want a time in RFC 3339 with its zone, for example 2026-01-31T12:00:00Z, or seconds, milliseconds, microseconds or nanoseconds since 1970",
		},
		{
			`"cost_usd":NaN,"streaming":"1","output_tokens":"12.0","status":200`, `"streaming":true,"output_tokens":12,"status":"success"`, "estimated_cost_usd",
			"cost_usd: a JSON number that is not finite, want a number",
		},
	} {
		t.Run(tt.fields, func(t *testing.T) {
			t.Parallel()
			e, warned, err := event.DecodeWithWarnings(body(tt.fields))
			if err != nil {
				t.Fatal(err)
			}
			if got := warned.String(); got != tt.warnings {
				t.Errorf("warnings %s\nwant     %s", got, tt.warnings)
			}
			if got := strings.Join(e.Ignored(), " "); got != tt.ignored {
				t.Errorf("ignored %q, want %q", got, tt.ignored)
			}
			want, err := json.Marshal(decode(t, strings.TrimSuffix(`"team":null,`+tt.want, ",")))
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if d := testdiff.Of(string(want), string(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			agree(t, e)
		})
	}
}

// TestWarningsAreBounded: what is not listed is counted.
func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	var members, passages strings.Builder
	for i := range 30 {
		fmt.Fprintf(&members, `"own_%d":1,`, i)
		passages.WriteString(`{"text":"a","scor":1},`)
	}
	_, warned, err := event.DecodeWithWarnings(body(members.String() + `"model":"m"`))
	if err != nil || len(warned.List) != 20 || warned.More != 10 || !strings.HasSuffix(warned.String(), `unknown field "own_19"; and 10 more`) {
		t.Errorf("%v, %v", warned, err)
	}
	_, warned, err = event.DecodeWithWarnings(body(`"retrieval":{"chunks":[` + passages.String() + `"b"]}`))
	if err != nil || len(warned.List) != 1 || warned.More != 0 {
		t.Errorf("the same 30 times: %v, %v", warned, err)
	}
	long := strings.Repeat("é", 100)
	_, warned, err = event.DecodeWithWarnings(body(`"` + long + `":1`))
	if err != nil || len(warned.List) != 1 || warned.List[0].Field != long[:64]+"..." {
		t.Errorf("a long name: %v, %v", warned, err)
	}
}

// TestIdentitySpelling: another spelling of request_id identifies an event that has no
// request_id, and nothing else does.
func TestIdentitySpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"event":"llm_request_completed","requestId":"a"}`:                              "a",
		`{"event":"llm_request_completed","requestId":"a","request_id":"b"}`:             "b",
		`{"event":"llm_request_completed","request_id":"b","requestId":"a"}`:             "b",
		`{"event":"llm_request_completed","request_id":"b","requestId":{"x":1}}`:         "b",
		`{"event":"llm_request_completed","requestId":{"x":1},"request_id":"b"}`:         "b",
		`{"event":"llm_request_completed","id":"chatcmpl-1"}`:                            "malformed: missing request_id",
		`{"event":"llm_request_completed","requestId":["a"]}`:                            "malformed: requestId: a JSON array, want a string, or a whole number that has all its digits",
		`{"event":"llm_request_completed","request_id":["a"],"requestId":"b","model":1}`: "malformed: request_id: a JSON array, want a string, or a whole number that has all its digits",
	} {
		e, err := event.Decode([]byte(in))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = string(e.RequestID)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestInvalidJSONIsKept: the arguments that a limit of tokens cut off are what an
// evaluation has to find.
func TestInvalidJSONIsKept(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`{"id":`: `"{\"id\":"`, " 7 ": "7", "null": "", "": "", " \n": "", `{"a":NaN}`: `"{\"a\":NaN}"`} {
		if got := string(event.JSON([]byte(in)).Raw()); got != want {
			t.Errorf("JSON(%q) is %s, want %s", in, got, want)
		}
	}
}

// TestFromResponse: an event of a provider's response has all that it says.
func TestFromResponse(t *testing.T) {
	t.Parallel()
	var value any
	if err := json.Unmarshal([]byte("{"+anthropicMessage+"}"), &value); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"value": value, "JSON": json.RawMessage("{" + anthropicMessage + "}"), "bytes": []byte("{" + anthropicMessage + "}")} {
		e, err := event.FromResponse(v)
		if err != nil {
			t.Fatal(err)
		}
		if d := testdiff.Of(said{1110, 7, -1, "claude-sonnet-4-5", "tool_use", "", "Hello.", 1, 0}, saidBy(&e)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if _, err := event.FromResponse(func() {}); !errors.As(err, new(*json.UnsupportedTypeError)) {
		t.Errorf("a function: %v", err)
	}
}
