package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// provider writes answers in one shape. A member that a shape cannot express is
// empty. WORDS stands for a JSON string with the model's words, and CONTENT for the
// parts of a message.
type provider struct {
	words     string // an answer in words
	refusal   string // a refusal that the provider marks, without words
	calls     string // only the call of a tool
	reasoning string // the thought "hmm", and words
}

// inside returns a provider whose messages stand inside something else.
func inside(around string, p provider) provider {
	put := func(inner string) string {
		if inner == "" {
			return ""
		}
		return strings.Replace(around, "MESSAGE", inner, 1)
	}
	return provider{put(p.words), put(p.refusal), put(p.calls), put(p.reasoning)}
}

func providers() map[string]provider {
	openAI := provider{
		words:     `{"role":"assistant","content":WORDS,"refusal":null,"annotations":[]}`,
		calls:     `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"lookup","arguments":"{}"}}]}`,
		reasoning: `{"role":"assistant","content":WORDS,"reasoning_content":"hmm"}`,
	}
	anthropic := provider{
		words:     `{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":WORDS}],"stop_reason":"end_turn","usage":{"input_tokens":1}}`,
		refusal:   `{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":"refusal"}`,
		calls:     `{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"lookup","input":{}}],"stop_reason":"tool_use"}`,
		reasoning: `{"role":"assistant","content":[{"type":"thinking","thinking":"hmm","signature":"s"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":WORDS}]}`,
	}
	gemini := provider{
		words:     `{"role":"model","parts":[{"text":WORDS}]}`,
		calls:     `{"role":"model","parts":[{"functionCall":{"name":"lookup","args":{}},"thoughtSignature":"s"}]}`,
		reasoning: `{"role":"model","parts":[{"text":"hmm","thought":true},{"text":WORDS}]}`,
	}
	bedrock := provider{
		words:     `{"role":"assistant","content":[{"text":WORDS}]}`,
		calls:     `{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"lookup","input":{}}}]}`,
		reasoning: `{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hmm","signature":"s"}}},{"text":WORDS}]}`,
	}
	items := provider{
		words:     `[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":WORDS,"annotations":[]}]}]`,
		calls:     `[{"type":"function_call","id":"fc_1","call_id":"c1","name":"lookup","arguments":"{}","status":"completed"}]`,
		reasoning: `[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hmm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":WORDS}]}]`,
	}
	langChain := provider{
		words:     `{"type":"ai","content":WORDS,"tool_calls":[],"invalid_tool_calls":[],"additional_kwargs":{},"response_metadata":{"finish_reason":"stop"}}`,
		refusal:   `{"type":"ai","content":"","additional_kwargs":{},"response_metadata":{"stop_reason":"refusal"}}`,
		calls:     `{"type":"ai","content":"","tool_calls":[{"name":"lookup","args":{},"id":"c1","type":"tool_call"}],"additional_kwargs":{}}`,
		reasoning: `{"type":"ai","content":WORDS,"additional_kwargs":{"reasoning_content":"hmm"}}`,
	}
	withRefusal := func(p provider, refusal string) provider { p.refusal = refusal; return p }
	return map[string]provider{
		"string": {words: `WORDS`},

		"OpenAI message":    openAI,
		"OpenAI completion": withRefusal(inside(`{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":MESSAGE,"finish_reason":"stop"}],"usage":{}}`, openAI), `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"content_filter"}]}`),
		"OpenAI choices":    withRefusal(inside(`[{"index":0,"message":MESSAGE,"finish_reason":"stop"}]`, openAI), `[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}]`),
		"OpenAI legacy":     {words: `{"id":"c","object":"text_completion","choices":[{"text":WORDS,"index":0,"logprobs":null,"finish_reason":"stop"}]}`},
		"Responses":         withRefusal(inside(`{"id":"resp_1","object":"response","status":"completed","output":MESSAGE}`, items), `{"object":"response","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`),
		"Responses, bare":   inside(`{"output":MESSAGE}`, items),
		"Responses items":   items,
		"Responses hosted":  {words: items.words, calls: `{"object":"response","output":[{"type":"web_search_call","id":"ws_1","status":"completed","action":{}}]}`},
		"Responses item":    {words: `{"type":"message","role":"assistant","content":[{"type":"output_text","text":WORDS}]}`, calls: `{"type":"custom_tool_call","call_id":"c1","name":"lookup","input":"x"}`},
		"Responses parts":   {words: `[{"type":"output_text","text":WORDS}]`},

		"Anthropic message": anthropic,
		"Anthropic parts":   {words: `[{"type":"text","text":WORDS}]`, calls: `[{"type":"server_tool_use","id":"s1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s1","content":[]}]`, reasoning: `[{"type":"thinking","thinking":"hmm"},{"type":"text","text":WORDS}]`},
		"Mistral parts":     {words: openAI.words, reasoning: `{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"hmm"}]},{"type":"text","text":WORDS}]}`},

		"Gemini content":  gemini,
		"Gemini response": withRefusal(inside(`{"candidates":[{"content":MESSAGE,"finishReason":"STOP"}],"usageMetadata":{}}`, gemini), `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{}}`),
		"Gemini stream":   withRefusal(inside(`[{"candidates":[{"content":MESSAGE}]},{"candidates":[{"finishReason":"STOP"}]}]`, gemini), `[{"candidates":[{"content":{"role":"model"},"finish_reason":"SAFETY"}]}]`),
		"Gemini Python":   inside(`{"candidates":[{"content":MESSAGE,"finish_reason":"FinishReason.STOP"}],"usage_metadata":{}}`, provider{words: gemini.words, calls: `{"role":"model","parts":[{"function_call":{"name":"lookup","args":{}},"text":null}]}`, reasoning: gemini.reasoning}),

		"Bedrock message":  bedrock,
		"Bedrock Converse": withRefusal(inside(`{"output":{"message":MESSAGE},"stopReason":"end_turn","usage":{},"metrics":{}}`, bedrock), `{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"guardrail_intervened"}`),
		"Bedrock Llama":    {words: `{"generation":WORDS,"prompt_token_count":1,"stop_reason":"stop"}`},
		"Bedrock Titan":    {words: `{"inputTextTokenCount":1,"results":[{"tokenCount":1,"outputText":WORDS,"completionReason":"FINISH"}]}`},

		"Cohere":          inside(`{"id":"c","message":MESSAGE,"finish_reason":"COMPLETE"}`, provider{words: `{"role":"assistant","content":[{"type":"text","text":WORDS}]}`, calls: openAI.calls, reasoning: anthropic.reasoning}),
		"Ollama chat":     inside(`{"model":"m","created_at":"t","message":MESSAGE,"done":true,"done_reason":"stop"}`, provider{words: `{"role":"assistant","content":WORDS}`, calls: `{"role":"assistant","content":"","tool_calls":[{"function":{"name":"lookup","arguments":{}}}]}`, reasoning: `{"role":"assistant","content":WORDS,"thinking":"hmm"}`}),
		"Ollama generate": {words: `{"model":"m","response":WORDS,"done":true}`, reasoning: `{"model":"m","response":WORDS,"thinking":"hmm","done":true}`},
		"llama.cpp":       {words: `{"content":WORDS,"stop":true,"generation_settings":{},"model":"m"}`},
		"Hugging Face":    {words: `[{"generated_text":WORDS}]`},

		"Microsoft.Extensions.AI": {words: `{"messages":[{"role":"assistant","contents":[{"$type":"text","text":WORDS}]}],"responseId":"r","finishReason":"stop"}`, calls: `{"messages":[{"role":"assistant","contents":[{"$type":"functionCall","callId":"c1","name":"lookup","arguments":{}}]}]}`, reasoning: `{"messages":[{"role":"assistant","contents":[{"$type":"reasoning","text":"hmm"},{"$type":"text","text":WORDS},{"$type":"usage","details":{}}]}]}`},
		"Spring AI":               {words: `{"messageType":"ASSISTANT","metadata":{},"toolCalls":[],"media":[],"text":WORDS}`},
		"role, text":              {words: `{"role":"assistant","text":WORDS}`},
		"Bedrock Mistral":         {words: `{"outputs":[{"text":WORDS,"stop_reason":"stop"}]}`},
		"Pydantic AI":             {words: `{"kind":"response","parts":[{"part_kind":"text","content":WORDS}],"usage":{},"model_name":"m"}`, calls: `{"kind":"response","parts":[{"part_kind":"tool-call","tool_name":"lookup","args":"{}","tool_call_id":"c1"}]}`, reasoning: `{"kind":"response","parts":[{"part_kind":"thinking","content":"hmm"},{"part_kind":"text","content":WORDS}]}`},
		"LlamaIndex":              inside(`{"message":MESSAGE,"raw":{},"delta":null,"logprobs":null,"additional_kwargs":{}}`, provider{words: `{"role":"assistant","additional_kwargs":{},"blocks":[{"block_type":"text","text":WORDS}]}`}),
		"OpenRouter":              {words: `{"role":"assistant","content":WORDS,"reasoning":null}`, reasoning: `{"role":"assistant","content":WORDS,"reasoning":"hmm","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}`},
		"LangChain dict":          langChain,
		"LangChain data":          inside(`{"type":"ai","data":MESSAGE}`, langChain),
		"LangChain dumpd":         inside(`{"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":MESSAGE}`, langChain),
		"LangChain chat":          inside(`[{"type":"human","content":"?"},MESSAGE]`, langChain),
		"LangChain result":        inside(`{"generations":[[{"text":"","message":MESSAGE}]],"llm_output":{}}`, langChain),
		"LangChain role":          {words: `{"role":"ai","content":WORDS}`},
		"LangGraph":               inside(`{"messages":[{"type":"human","content":"?"},MESSAGE]}`, langChain),
		"Vercel parts":            {words: `{"role":"assistant","content":[{"type":"text","text":WORDS}]}`, calls: `{"role":"assistant","content":[{"type":"tool-call","toolCallId":"t1","toolName":"lookup","input":{}}]}`, reasoning: `{"role":"assistant","content":[{"type":"reasoning","text":"hmm"},{"type":"text","text":WORDS}]}`},
		"Vercel UIMessage":        {words: `{"id":"m","role":"assistant","parts":[{"type":"step-start"},{"type":"text","text":WORDS,"state":"done"}]}`, calls: `{"id":"m","role":"assistant","parts":[{"type":"tool-lookup","toolCallId":"t1","state":"input-available","input":{}}]}`, reasoning: `{"id":"m","role":"assistant","parts":[{"type":"reasoning","text":"hmm"},{"type":"data-weather","data":{}},{"type":"text","text":WORDS}]}`},
		"Vercel result":           {words: `{"text":WORDS,"finishReason":"stop","usage":{"inputTokens":1}}`, refusal: `{"text":"","finishReason":"content-filter"}`, calls: `{"text":"","finishReason":"tool-calls","toolCalls":[{"type":"tool-call","toolCallId":"t1","toolName":"lookup","input":{}}]}`, reasoning: `{"text":WORDS,"finishReason":"stop","reasoningText":"hmm"}`},
		"Vercel 5 result":         {words: `{"text":WORDS,"content":[{"type":"text","text":WORDS}],"finishReason":"stop","toolCalls":[],"usage":{}}`, calls: `{"text":"","content":[{"type":"tool-call","toolCallId":"t1","toolName":"lookup","input":{}}],"finishReason":"tool-calls","toolCalls":[{"type":"tool-call","toolCallId":"t1","toolName":"lookup","input":{}}]}`},
		"LangChain Claude":        {words: `{"type":"ai","content":[{"type":"text","text":WORDS}],"additional_kwargs":{}}`, calls: `{"type":"ai","content":[{"type":"tool_use","id":"t1","name":"lookup","input":{}}],"tool_calls":[{"name":"lookup","args":{},"id":"t1","type":"tool_call"}],"additional_kwargs":{}}`},
		"Vercel doGenerate":       {words: `{"content":[{"type":"text","text":WORDS}],"finishReason":{"unified":"stop","raw":"end_turn"},"warnings":[]}`},
		"chat":                    inside(`[{"role":"user","content":"?"},MESSAGE]`, openAI),
		"chat, then a tool":       inside(`[{"role":"user","content":"?"},MESSAGE,{"role":"tool","content":"42"}]`, openAI),
		"without a role":          {words: `{"content":WORDS,"refusal":null}`, calls: `{"content":null,"tool_calls":[{"type":"function","function":{"name":"lookup","arguments":"{}"}}]}`},
		"Go's own spelling":       {words: `{"Role":"Assistant","Content":WORDS}`},
		"think":                   {words: `WORDS`, reasoning: `"<think>\nhmm\n</think>\n\n` + "WORDS"},
		"harmony":                 {words: `WORDS`, reasoning: `"<|channel|>analysis<|message|>hmm<|end|><|start|>assistant<|channel|>final<|message|>WORDS`},
		"string, OpenAI":          {},
		"string, Bedrock":         {},
		"string, Responses":       {},
		"string, UI message":      {},
	}
}

// TestShapes reads every shape with every kind of answer that it can express.
func TestShapes(t *testing.T) {
	t.Parallel()
	const document, prose = `{"reply":"ok","n":[1, 2]}`, `It is "late".`
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	fill := func(form, words string) string {
		quoted := quote(words)
		if strings.HasPrefix(form, `"`) { // a string around the words
			quoted = strings.TrimPrefix(quoted, `"`)
		}
		return strings.ReplaceAll(form, "WORDS", quoted)
	}
	all := providers()
	for name, of := range map[string]string{"string, OpenAI": "OpenAI completion", "string, Bedrock": "Bedrock Converse", "string, Responses": "Responses items", "string, UI message": "Vercel UIMessage"} {
		p := all[of]
		p.words = fill(p.words, prose)
		if p.reasoning != "" {
			p.reasoning = fill(p.reasoning, prose)
		}
		for _, form := range []*string{&p.words, &p.refusal, &p.calls, &p.reasoning} {
			if *form != "" {
				*form = quote(*form)
			}
		}
		all[name] = p
	}
	for name, p := range all {
		cases := map[string]struct {
			output string
			want   event.Answer
		}{
			"text":      {fill(p.words, prose), event.Answer{Text: prose}},
			"JSON":      {fill(p.words, document), event.Answer{Text: document}},
			"empty":     {fill(p.words, ""), event.Answer{}},
			"refusal":   {p.refusal, event.Answer{Refusal: true}},
			"calls":     {p.calls, event.Answer{CallsTools: true}},
			"reasoning": {fill(p.reasoning, prose), event.Answer{Text: prose, Reasoning: "hmm"}},
		}
		for kind, tt := range cases {
			if tt.output == "" || !strings.Contains(p.words, "WORDS") && (kind == "JSON" || kind == "empty") {
				continue
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				e := decode(t, `"output":`+tt.output)
				got := e.Answer()
				if d := testdiff.Of(tt.want, contentOf(got)); d != "" {
					t.Errorf("%s (-want +got):\n%s", tt.output, d)
				}
				if got.OnlyCallsTools() != tt.want.CallsTools || got.OnlyRefuses() != tt.want.Refusal {
					t.Errorf("only calls tools: %t; only refuses: %t", got.OnlyCallsTools(), got.OnlyRefuses())
				}
				if tt.want.CallsTools && len(got.Calls)+got.UnreadCalls != 1 {
					t.Errorf("%d calls and %d unread; want one", len(got.Calls), got.UnreadCalls)
				}
				if reply := e.Output.Reply(); got.Reasoning != "" && strings.Contains(reply, "hmm") {
					t.Errorf("a reader is shown %q", reply)
				}
			})
		}
	}
}

// TestOwnJSON: an application's own JSON answer stays what it is, even when its
// members have names that providers use.
func TestOwnJSON(t *testing.T) {
	t.Parallel()
	for _, output := range []string{
		`{"text":"Hello.","id":3}`,
		`{"text":"Hello.","usage":"daily"}`,
		`{"role":"admin","name":"Ada"}`,
		`{"role":"admin","content":"x"}`,
		`{"role":"assistant","name":"Ada"}`,
		`{"role":"user","content":"x"}`,
		`{"role":"CEO","text":"x"}`,
		`[{"role":"CEO","text":"x"}]`,
		`{"outputs":[{"text":"x"}]}`,
		`{"content":"Hello."}`,
		`{"content":"Hello.","title":"Greeting"}`,
		`{"content":["a","b"]}`,
		`{"content":[{"type":"paragraph","text":"a"}]}`,
		`{"message":"Hello."}`,
		`{"message":{"text":"Hello."}}`,
		`{"message":{"role":"assistant","content":"Hello."},"next_step":"close"}`,
		`{"message":{"role":"assistant","content":"Hello."},"status":"open"}`,
		`{"generated_text":"Hello.","status":"ok"}`,
		`{"messages":[{"role":"user","content":"a"}],"status":"open"}`,
		`{"messages":["a","b"]}`,
		`{"messages":[{"text":"a"}]}`,
		`{"messages":[]}`,
		`{"messages":[{"role":"user","content":"a"}],"topic":"x"}`,
		`{"choices":["a","b"]}`,
		`{"choices":[]}`,
		`{"choices":[{"text":"Paris"},{"text":"Rome"}]}`,
		`{"choices":[{"text":"Paris","index":0},{"text":"Rome","index":1}]}`,
		`{"choices":[{"text":"Paris"},{"text":"Rome"}],"created_at":"2026-01-31"}`,
		`{"choices":[{"message":"Take the left door."}]}`,
		`{"candidates":[{"name":"Ada"}]}`,
		`{"candidates":[{"content":"a"}]}`,
		`{"candidates":[]}`,
		`{"parts":[{"text":"wheel"}]}`,
		`{"output":"Hello."}`,
		`{"output":[]}`,
		`{"output":[{"type":"text","value":1}]}`,
		`{"output":{"message":"Hello."}}`,
		`{"response":"Hello."}`,
		`{"response":"Hello.","model":"T"}`,
		`{"response":"Hello.","done":true}`,
		`{"generated_text":"Hello.","language":"en"}`,
		`[{"generated_text":"a"},{"generated_text":"b"}]`,
		`{"results":[{"generated_text":"a","score":1}]}`,
		`{"generations":[{"text":"X"}]}`,
		`{"kind":"response","parts":["a"]}`,
		`{"kind":"response","parts":[{"type":"wheel"}]}`,
		`{"completion":0.5}`,
		`{"generation":"Z"}`,
		`{"generations":[{"name":"X"}]}`,
		`{"results":[{"title":"a"}]}`,
		`{"results":[]}`,
		`{"object":{"a":1}}`,
		`{"object":"chair","output":"sit"}`,
		`{"type":"ai"}`,
		`{"type":"ai","content":"Hello.","score":0.5}`,
		`{"type":"human","confidence":1}`,
		`{"type":"message","text":"Hello."}`,
		`{"type":"text","text":"Hello."}`,
		`{"type":"image","url":"https://example.com/a.png"}`,
		`{"type":"function_call"}`,
		`{"type":"reasoning","text":"a"}`,
		`{"type":"error","message":"x"}`,
		`{"type":"error","error":{"type":"not_found"}}`,
		`{"error":{"message":"not found"}}`,
		`{"object":"error","message":"not found"}`,
		`{"error":"not found"}`,
		`{"refusal":"no"}`,
		`{"tool_calls":3}`,
		`{"lc":1,"type":"a"}`,
		`[{"role":"CEO","name":"Ada"},{"role":"CTO","name":"Grace"}]`,
		`[{"role":"CEO","content":"a"}]`,
		`[{"type":"bug","text":"x"}]`,
		`[{"type":"text","text":"x"},{"type":"bug","text":"y"}]`,
		`[{"type":"reasoning","text":"x"},{"type":"conclusion","text":"y"}]`,
		`[{"type":"image","url":"a.png"},{"type":"video","url":"b.mp4"}]`,
		`[{"type":"text","text":"x"},{"type":"image","url":"a.png"}]`,
		`[{"type":"text","text":"x","bold":true}]`,
		`[{"type":"text","value":"x"}]`,
		`[{"type":"text","text":"x","name":"a"}]`,
		`[{"text":"a"},{"text":"b"}]`,
		`[{"message":"a"},{"message":"b"}]`,
		`[{"index":0,"text":"a"}]`,
		`[1,2]`, `[]`, `{}`, `42`, `true`, `[[{"role":"x"}]]`,
	} {
		e := decode(t, `"output":`+output)
		if d := testdiff.Of(event.Answer{Text: output, JSON: true}, e.Answer()); d != "" {
			t.Errorf("%s (-want +got):\n%s", output, d)
		}
		inString, err := json.Marshal(output)
		if err != nil {
			t.Fatal(err)
		}
		e = decode(t, `"output":`+string(inString))
		if d := testdiff.Of(event.Answer{Text: output}, e.Answer()); d != "" {
			t.Errorf("in a string, %s (-want +got):\n%s", output, d)
		}
	}
}

// TestOwnJSONInString: in a string, where a model's own JSON stands, a chat is data.
func TestOwnJSONInString(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]}`,
		`[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]`,
		`{"content":"{}"}`,
	} {
		e := event.Event{Output: event.Text(text)}
		if d := testdiff.Of(event.Answer{Text: text}, e.Answer()); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

// TestUnread: what is a provider's and has no form that is known is neither text nor
// an application's own JSON.
func TestUnread(t *testing.T) {
	t.Parallel()
	for _, output := range []string{
		`{"object":"response","output":[{"type":"hologram","data":"x"}]}`,
		`{"object":"response","output":"x"}`,
		`{"object":"response","status":"failed","output":[]}`,
		`{"object":"response","status":"in_progress","output":[]}`,
		`{"object":"chat.completion","choices":[]}`,
		`{"object":"chat.completion","choices":[{"message":"x"}]}`,
		`{"object":"chat.completion","choices":{}}`,
		`{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"He"}}]}`,
		`{"candidates":[{"content":"x"}],"usageMetadata":{}}`,
		`{"candidates":[],"modelVersion":"gemini"}`,
		`{"role":"assistant","content":[{"type":"hologram","data":"x"}]}`,
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hmm"},{"type":"hologram"}]}`,
		`{"role":"model","parts":[{"hologram":{}}]}`,
		`{"lc":1,"type":"constructor","id":["langchain","prompts","PromptTemplate"],"kwargs":{"template":"x"}}`,
		`{"type":"human","content":"?","additional_kwargs":{}}`,
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`,
		`{"error":{"message":"x","type":"server_error","param":null,"code":null}}`,
		`{"error":{"message":"x","type":"requests","code":"rate_limit_exceeded"}}`,
		`{"object":"error","message":"x","type":"BadRequestError","param":null,"code":400}`,
		`{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}`,
		`[{"role":"user","content":"?"},{"role":"tool","content":"42"}]`,
		`{"messages":[{"role":"user","content":"?"}]}`,
		`[{"type":"response.created","response":{}}]`,
		`[{"type":"message_start","message":{}}]`,
		`[{"object":"chat.completion.chunk","choices":[{"delta":{"tool_calls":[{"index":0}]}}]}]`,
		`{"role":"assistant","content":[` + items(`{"type":"text","text":"a"}`, event.MaxItems+1) + `]}`,
	} {
		got := decode(t, `"output":`+output).Answer()
		if got.Unread == "" || got.Text != "" || got.JSON || got.Refusal || got.OnlyCallsTools() {
			t.Errorf("%.200s: %+v; want only a reason", output, got)
		}
		if text := decode(t, `"output":`+output).Output.Reply(); text == "" {
			t.Errorf("%s: a reader is shown nothing", output)
		}
	}
}

// TestDumps reads whole responses as people paste them.
func TestDumps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		output string
		want   event.Answer
		finish event.FinishReason
	}{
		"Claude with a web search": {
			`{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","container":null,"content":[
			{"type":"thinking","thinking":"The user wants the height. I should search.","signature":"EqQBCg"},
			{"type":"text","text":"I'll look that up.","citations":null},
			{"type":"server_tool_use","id":"srvtoolu_01","name":"web_search","input":{"query":"height of the Eiffel Tower"}},
			{"type":"web_search_tool_result","tool_use_id":"srvtoolu_01","content":[{"type":"web_search_result","title":"Eiffel Tower","url":"https://example.com/eiffel","encrypted_content":"EqgfCioIARgB","page_age":null}]},
			{"type":"text","text":"The Eiffel Tower is ","citations":null},
			{"type":"text","text":"330 metres tall","citations":[{"type":"web_search_result_location","cited_text":"330 m","url":"https://example.com/eiffel","title":"Eiffel Tower","encrypted_index":"Eo8B"}]},
			{"type":"text","text":".","citations":null}],
			"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":2680,"output_tokens":152,"server_tool_use":{"web_search_requests":1}}}`,
			event.Answer{Text: "I'll look that up.\nThe Eiffel Tower is 330 metres tall.", CallsTools: true, Reasoning: "The user wants the height. I should search."},
			event.FinishStop,
		},
		"GPT with reasoning and a structured reply": {
			`{"id":"resp_68","object":"response","created_at":1764400000,"status":"completed","background":false,"error":null,"incomplete_details":null,"instructions":null,
			"max_output_tokens":null,"model":"gpt-5-mini-2025-08-07","output":[
			{"id":"rs_68","type":"reasoning","summary":[{"type":"summary_text","text":"**Checking the order**"}],"encrypted_content":null},
			{"id":"ws_68","type":"web_search_call","status":"completed","action":{"type":"search","query":"order 17"}},
			{"id":"msg_68","type":"message","status":"completed","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"{\"reply\":\"caf\\u00e9\",\"priority\":\"low\"}"}],"role":"assistant"}],
			"parallel_tool_calls":true,"reasoning":{"effort":"medium","summary":"auto"},"store":true,"temperature":1.0,"text":{"format":{"type":"json_schema","name":"reply"}},
			"tool_choice":"auto","tools":[],"usage":{"input_tokens":36,"output_tokens":87,"total_tokens":123},"user":null,"metadata":{}}`,
			event.Answer{Text: `{"reply":"café","priority":"low"}`, CallsTools: true, Reasoning: "**Checking the order**"},
			event.FinishStop,
		},
		"Gemini with members that are not known": {
			`{"candidates":[{"content":{"role":"model","parts":[{"text":"It is late.","partMetadata":{"a":1}}]},"groundingMetadata":{}}]}`,
			event.Answer{Text: "It is late."},
			"",
		},
		"chunks of a stream": {
			`[{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]},
			{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"<think>hmm</th"}}]},
			{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"ink>It is"}}]},
			{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" late."},"finish_reason":"stop"}]},
			{"object":"chat.completion.chunk","choices":[],"usage":{}}]`,
			event.Answer{Text: "It is late.", Reasoning: "hmm"},
			event.FinishStop,
		},
		"one completion of a batch": {
			`[{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"It is late."},"finish_reason":"stop"}]}]`,
			event.Answer{Text: "It is late."},
			event.FinishStop,
		},
		"last event of a stream": {
			`{"type":"response.completed","sequence_number":9,"response":{"object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"It is late."}]}]}}`,
			event.Answer{Text: "It is late."},
			event.FinishStop,
		},
		"GPT with a remark before the answer": {
			`{"object":"response","status":"completed","output":[
			{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"I'll look it up."}]},
			{"type":"message","role":"assistant","phase":"final_answer","content":[{"type":"output_text","text":"{\"reply\":\"ok\"}"}]}]}`,
			event.Answer{Text: `{"reply":"ok"}`},
			event.FinishStop,
		},
		"GPT with a remark before a call": {
			`[{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"I'll look it up."}]},
			{"type":"function_call","call_id":"c","name":"lookup","arguments":"{}"}]`,
			event.Answer{Text: "I'll look it up.", CallsTools: true},
			"",
		},
		"Gemini from Python, cut off": {
			`{"sdk_http_response":{"headers":{"content-type":"application/json"},"body":null},"candidates":[{"content":{"parts":[
			{"video_metadata":null,"thought":true,"inline_data":null,"file_data":null,"thought_signature":null,"function_call":null,"code_execution_result":null,"executable_code":null,"function_response":null,"text":"Planning."},
			{"video_metadata":null,"thought":null,"inline_data":null,"file_data":null,"thought_signature":null,"function_call":null,"code_execution_result":null,"executable_code":null,"function_response":null,"text":"The parcel left"}],
			"role":"model"},"citation_metadata":null,"finish_message":null,"token_count":null,"finish_reason":"MAX_TOKENS","avg_logprobs":null,"grounding_metadata":null,"index":0,"logprobs_result":null,"safety_ratings":null}],
			"create_time":null,"model_version":"gemini-2.5-flash","prompt_feedback":null,"response_id":"abc","usage_metadata":{"prompt_token_count":12,"total_token_count":130},"automatic_function_calling_history":[],"parsed":null}`,
			event.Answer{Text: "The parcel left", Reasoning: "Planning."},
			event.FinishLength,
		},
		"LangChain message by model_dump": {
			`{"content":"","additional_kwargs":{"refusal":null},"response_metadata":{"token_usage":{"completion_tokens":17},"model_provider":"openai","model_name":"gpt-4.1-mini","system_fingerprint":"fp","id":"chatcmpl-1","finish_reason":"tool_calls","logprobs":null},
			"type":"ai","name":null,"id":"lc_run--1","tool_calls":[{"name":"track","args":{"order":17},"id":"call_1","type":"tool_call"}],"invalid_tool_calls":[],"usage_metadata":{"input_tokens":50,"output_tokens":17,"total_tokens":67,"input_token_details":{}}}`,
			event.Answer{CallsTools: true},
			event.FinishToolCalls,
		},
		"Vercel UI message with an approved tool": {
			`{"id":"msg-1","role":"assistant","metadata":{"createdAt":1764400000000},"parts":[{"type":"step-start"},
			{"type":"reasoning","text":"Look first.","state":"done","providerMetadata":{"openai":{"itemId":"rs_1"}}},
			{"type":"tool-track","toolCallId":"call_1","state":"output-available","input":{"order":17},"output":{"place":"Rome"}},
			{"type":"step-start"},{"type":"source-url","sourceId":"1","url":"https://example.com"},
			{"type":"text","text":"It is in Rome.","state":"done"},{"type":"file","mediaType":"image/png","url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"}]}`,
			event.Answer{Text: "It is in Rome.\n[image, 24 B]", CallsTools: true, Reasoning: "Look first."},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := decode(t, `"output":`+tt.output)
			if d := testdiff.Of(tt.want, contentOf(e.Answer())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if got := e.Finish(); got != tt.finish {
				t.Errorf("finish reason %q; want %q", got, tt.finish)
			}
		})
	}
}

// contentOf returns an answer without its calls and its finish reason, which tests of
// their own compare.
func contentOf(a event.Answer) event.Answer {
	a.FinishReason = ""
	return withoutCalls(a)
}
