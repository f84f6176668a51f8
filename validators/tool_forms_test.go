package validators

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
)

// callForms are the forms in which providers and frameworks write a call, as formats
// for its name and its arguments. Those in text hold the arguments as a string.
func callForms() map[string]struct {
	format string
	text   bool
} {
	type form = struct {
		format string
		text   bool
	}
	return map[string]form{
		"ours":                      {`{"name":%s,"arguments":%s}`, false},
		"ours, text":                {`{"name":%s,"arguments":%s}`, true},
		"OpenAI":                    {`{"id":"call_1","type":"function","function":{"name":%s,"arguments":%s}}`, true},
		"OpenAI, arguments first":   {`{"function":{"arguments":%[2]s,"name":%[1]s},"type":"function","index":0}`, true},
		"OpenAI Responses":          {`{"type":"function_call","id":"fc_1","call_id":"call_1","name":%s,"arguments":%s,"status":"completed"}`, true},
		"OpenAI Agents":             {`{"type":"tool_call_item","raw_item":{"type":"function_call","call_id":"c","name":%s,"arguments":%s}}`, true},
		"OpenAI, legacy":            {`{"function_call":{"name":%s,"arguments":%s}}`, true},
		"Anthropic":                 {`{"type":"tool_use","id":"toolu_1","name":%s,"input":%s}`, false},
		"Gemini":                    {`{"functionCall":{"name":%s,"args":%s}}`, false},
		"Gemini, Python":            {`{"function_call":{"id":null,"name":%s,"args":%s},"thought_signature":null,"text":null}`, false},
		"Gemini, bare":              {`{"name":%s,"args":%s}`, false},
		"Bedrock":                   {`{"toolUse":{"toolUseId":"t","name":%s,"input":%s}}`, false},
		"Bedrock, Go":               {`{"ToolUse":{"ToolUseId":"t","Name":%s,"Input":%s}}`, false},
		"LangChain":                 {`{"name":%s,"args":%s,"id":"x","type":"tool_call"}`, false},
		"LangChain, invalid":        {`{"type":"invalid_tool_call","name":%s,"args":%s,"id":"x","error":null}`, true},
		"LangChain, agent":          {`{"tool":%s,"tool_input":%s,"log":"x"}`, false},
		"Vercel 4":                  {`{"type":"tool-call","toolCallId":"t","toolName":%s,"args":%s}`, false},
		"Vercel 5":                  {`{"type":"tool-call","toolCallId":"t","toolName":%s,"input":%s}`, false},
		"Vercel 5, provider":        {`{"type":"tool-call","toolCallId":"t","toolName":%s,"input":%s}`, true},
		"Vercel 4, display":         {`{"type":"tool-invocation","toolInvocation":{"state":"result","toolCallId":"t","toolName":%s,"args":%s,"result":{"a":1}}}`, false},
		"Vercel 5, display, by any": {`{"type":"dynamic-tool","toolName":%s,"toolCallId":"t","state":"output-available","input":%s,"output":1}`, false},
		"Ollama":                    {`{"function":{"index":0,"name":%s,"arguments":%s}}`, false},
		"Cohere 2":                  {`{"id":"lookup_x","type":"function","function":{"name":%s,"arguments":%s}}`, true},
		"Cohere 1":                  {`{"name":%s,"parameters":%s}`, false},
		"Mistral":                   {`{"id":"x","function":{"name":%s,"arguments":%s}}`, true},
		"LlamaIndex":                {`{"tool_id":"t","tool_name":%s,"tool_kwargs":%s}`, false},
		"Pydantic AI":               {`{"tool_name":%s,"args":%s,"tool_call_id":"t","part_kind":"tool-call"}`, true},
		"OpenTelemetry":             {`{"type":"tool_call","id":"t","name":%s,"arguments":%s}`, false},
		"OpenInference":             {`{"tool_call":{"id":"t","function":{"name":%s,"arguments":%s}}}`, true},
		"Mistral, agents":           {`{"object":"entry","type":"function.call","tool_call_id":"x","name":%s,"arguments":%s}`, true},
		"CrewAI":                    {`{"tool_name":%s,"tool_args":%s}`, false},
		"Haystack":                  {`{"tool_name":%s,"arguments":%s,"id":null,"extra":null}`, false},
		"MCP request":               {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%s,"arguments":%s}}`, false},
		"MCP server's":              {`{"type":"mcp_tool_use","id":"t","name":%s,"server_name":"shop","input":%s}`, false},
	}
}

const lookupTools = `"tools":[{"name":"lookup","parameters":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}},` +
	`{"name":"now","parameters":{"type":"object","properties":{}}},{"type":"custom","name":"sql"}]`

// TestCallForms: a call is judged alike in whatever form it is written, in the
// event's list and in the output's message.
func TestCallForms(t *testing.T) {
	t.Parallel()
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, form := range callForms() {
		server := name == "MCP server's"
		for about, tt := range map[string]struct {
			tool, arguments string
			want            want
		}{
			"valid":          {"lookup", `{"id":7}`, want{eval.OutcomePass, "valid", ""}},
			"wrong argument": {"lookup", `{"id":"x"}`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: type at /id"}},
			"unknown tool":   {"drop_all", `{"id":7}`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
			"truncated":      {"lookup", `{"id":`, want{eval.OutcomeFail, "truncated", "tool lookup: arguments end too early"}},
			"empty":          {"now", ``, want{eval.OutcomePass, "valid", ""}},
			"empty, needed":  {"lookup", ``, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"}},
			"null":           {"now", `null`, want{eval.OutcomePass, "valid", ""}},
			"no object":      {"now", `[1]`, want{eval.OutcomeFail, "invalid_arguments", "tool now: arguments are no object"}},
		} {
			t.Run(name+"/"+about, func(t *testing.T) {
				t.Parallel()
				arguments := tt.arguments
				if form.text || arguments == "" || about == "truncated" {
					arguments = strconv.Quote(arguments)
				}
				call := fmt.Sprintf(form.format, strconv.Quote(tt.tool), arguments)
				if server && about == "unknown tool" {
					tt.want = want{eval.OutcomePass, "unchecked", ""}
				}
				for _, place := range []string{`"tool_calls":[` + call + `]`, `"output":{"role":"assistant","content":null,"tool_calls":[` + call + `]}`} {
					checkVerdict(t, evaluate(t, v, newEvent(t, lookupTools+`,`+place)), tt.want)
				}
			})
		}
	}
}

// TestCallsInAnswers: calls that stand only in the output, in the shapes of providers'
// answers, are judged as those of the event's list are.
func TestCallsInAnswers(t *testing.T) {
	t.Parallel()
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, answer := range map[string]string{
		"OpenAI":           `{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"lookup","arguments":A}}]},"finish_reason":"tool_calls"}]}`,
		"Responses":        `{"object":"response","status":"completed","output":[{"type":"reasoning","summary":[]},{"type":"function_call","call_id":"c","name":"lookup","arguments":A,"status":"completed"}]}`,
		"Responses, items": `[{"type":"function_call","call_id":"c","name":"lookup","arguments":A}]`,
		"Anthropic":        `{"type":"message","role":"assistant","content":[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"t","name":"lookup","input":O}],"stop_reason":"tool_use"}`,
		"Anthropic, parts": `[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"t","name":"lookup","input":O}]`,
		"Gemini":           `{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"lookup","args":O}}]},"finishReason":"STOP"}]}`,
		"Bedrock":          `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"lookup","input":O}}]}},"stopReason":"tool_use"}`,
		"Cohere":           `{"id":"c","message":{"role":"assistant","tool_plan":"x","tool_calls":[{"id":"c","type":"function","function":{"name":"lookup","arguments":A}}]},"finish_reason":"TOOL_CALL"}`,
		"Ollama":           `{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"lookup","arguments":O}}]},"done":true}`,
		"LangChain":        `{"type":"ai","content":"","tool_calls":[{"name":"lookup","args":O,"id":"t","type":"tool_call"}],"invalid_tool_calls":[]}`,
		"Vercel":           `{"role":"assistant","content":[{"type":"tool-call","toolCallId":"t","toolName":"lookup","input":O}]}`,
		"Vercel, display":  `{"id":"m","role":"assistant","parts":[{"type":"step-start"},{"type":"tool-lookup","toolCallId":"t","state":"output-available","input":O,"output":{}}]}`,
		"OpenAI, legacy":   `{"role":"assistant","content":null,"function_call":{"name":"lookup","arguments":A}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for object, w := range map[string]want{
				`{"id":7}`: {eval.OutcomePass, "valid", ""},
				`{}`:       {eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"},
			} {
				output := strings.NewReplacer(`:A`, `:`+strconv.Quote(object), `:O`, `:`+object).Replace(answer)
				checkVerdict(t, evaluate(t, v, newEvent(t, lookupTools+`,"output":`+output)), w)
			}
		})
	}
}

// TestCallsOfOtherKinds covers what is not the call of a function, and statuses.
func TestCallsOfOtherKinds(t *testing.T) {
	t.Parallel()
	passes := func(label string) want { return want{eval.OutcomePass, label, ""} }
	unread := want{eval.OutcomeCannotJudge, "", "a call in no known form"}
	pending := want{eval.OutcomeNotApplicable, "", "no call has ended"}
	failed := func(name string) want { return want{eval.OutcomeFail, "failed_tool", name + " failed"} }
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, tt := range map[string]struct {
		calls string
		want  want
	}{
		"free text":                 {`{"id":"c","type":"custom","custom":{"name":"sql","input":"SELECT 1"}}`, passes("valid")},
		"free text, Responses":      {`{"type":"custom_tool_call","call_id":"c","name":"sql","input":"SELECT {"}`, passes("valid")},
		"free text, unknown":        {`{"type":"custom","custom":{"name":"shell","input":"ls"}}`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
		"display part":              {`{"type":"tool-lookup","toolCallId":"t","state":"output-available","input":{"id":7},"output":{"a":1}}`, passes("valid")},
		"display part, bad":         {`{"type":"tool-lookup","toolCallId":"t","state":"output-available","input":{},"output":{"a":1}}`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"}},
		"display part, failed":      {`{"type":"tool-lookup","toolCallId":"t","state":"output-error","input":{"id":7},"errorText":"x"}`, failed("tool lookup")},
		"display part, raw input":   {`{"type":"tool-lookup","toolCallId":"t","state":"output-error","rawInput":"{\"id\":","errorText":"x"}`, want{eval.OutcomeFail, "truncated", "tool lookup: arguments end too early"}},
		"display part, streaming":   {`{"type":"tool-lookup","toolCallId":"t","state":"input-streaming","input":{}}`, pending},
		"display part, waiting":     {`{"type":"tool-lookup","toolCallId":"t","state":"approval-requested","input":{"id":7},"approval":{"id":"a"}}`, pending},
		"display part, denied":      {`{"type":"tool-lookup","toolCallId":"t","state":"output-denied","input":{"id":7}}`, failed("tool lookup")},
		"invalid, unknown":          {`{"type":"tool-call","toolCallId":"t","toolName":"drop_all","input":{},"dynamic":true,"invalid":true,"error":{"name":"AI_NoSuchToolError"}}`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
		"invalid, known":            {`{"type":"tool-call","toolCallId":"t","toolName":"lookup","input":{"id":7},"dynamic":true,"invalid":true}`, failed("tool lookup")},
		"LangChain, no JSON":        {`{"type":"invalid_tool_call","name":"lookup","args":"{id: 7}","error":"no JSON"}`, want{eval.OutcomeFail, "invalid_json", "tool lookup: arguments are no JSON"}},
		"web search":                {`{"type":"web_search_call","id":"ws","status":"completed","action":{"type":"search","query":"x"}}`, passes("unchecked")},
		"web search, failed":        {`{"type":"web_search_call","id":"ws","status":"failed"}`, failed("tool *")},
		"web search, running":       {`{"type":"web_search_call","id":"ws","status":"searching"}`, pending},
		"code interpreter":          {`{"type":"code_interpreter_call","code":"print(1)","container_id":"c","outputs":[],"status":"completed"}`, passes("unchecked")},
		"Gemini's code":             {`{"executableCode":{"language":"PYTHON","code":"print(1)"}}`, passes("unchecked")},
		"Anthropic server tool":     {`{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}`, passes("unchecked")},
		"LangChain server tool":     {`{"type":"server_tool_call","id":"s","name":"web_search","args":{"query":"x"}}`, passes("unchecked")},
		"Mistral's own tool":        {`{"object":"entry","type":"tool.execution","name":"web_search","arguments":"{}","info":{}}`, passes("unchecked")},
		"Gemini's search":           {`{"type":"google_search_call","id":"g","arguments":{"queries":["x"]}}`, passes("unchecked")},
		"OpenAI, Assistants":        {`{"id":"c","type":"code_interpreter","code_interpreter":{"input":"1","outputs":[]}}`, passes("unchecked")},
		"MCP, OpenAI":               {`{"type":"mcp_call","id":"m","server_label":"shop","name":"orders","arguments":"{}","output":"[]","error":null}`, passes("unchecked")},
		"MCP, OpenAI, error":        {`{"type":"mcp_call","id":"m","server_label":"shop","name":"orders","arguments":"{}","error":"no access"}`, failed("tool *")},
		"MCP, result is an error":   {`{"name":"lookup","arguments":{"id":7},"result":{"content":[],"isError":true}}`, failed("tool lookup")},
		"provider ran it":           {`{"type":"tool-call","toolCallId":"t","toolName":"search","input":"{}","providerExecuted":true}`, passes("unchecked")},
		"error of the tool":         {`{"name":"lookup","args":{"id":7},"error":"no such order"}`, failed("tool lookup")},
		"is_error":                  {`{"name":"lookup","arguments":{"id":7},"is_error":true}`, failed("tool lookup")},
		"no error":                  {`{"name":"lookup","arguments":{"id":7},"error":null,"is_error":false,"success":true}`, passes("valid")},
		"no success":                {`{"name":"lookup","arguments":{"id":7},"success":false}`, failed("tool lookup")},
		"a number for a status":     {`{"name":"lookup","arguments":{"id":7},"status":503}`, failed("tool lookup")},
		"a number, good":            {`{"name":"lookup","arguments":{"id":7},"status":200}`, passes("valid")},
		"sloppy measures":           {`{"name":"lookup","arguments":{"id":7},"latency_ms":"12.5","retry_count":1.0,"status":true}`, passes("valid")},
		"encoded as a string":       {`"{\"name\":\"lookup\",\"arguments\":{\"id\":7}}"`, passes("valid")},
		"encoded twice":             {`{"name":"lookup","arguments":"\"{\\\"id\\\": 7}\""}`, want{eval.OutcomePass, "encoded_twice", "tool lookup: arguments are encoded twice"}},
		"encoded twice, bad":        {`{"name":"lookup","arguments":"\"{}\""}`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"}},
		"PHP's empty object":        {`{"name":"now","arguments":[]}`, passes("valid")},
		"two objects":               {`{"name":"lookup","arguments":"{}{\"id\": 7}"}`, want{eval.OutcomeFail, "invalid_json", "tool lookup: arguments are no JSON"}},
		"Python's literals":         {`{"name":"lookup","arguments":"{'id': 7}"}`, want{eval.OutcomeFail, "invalid_json", "tool lookup: arguments are no JSON"}},
		"prefix":                    {`{"name":"functions.lookup","arguments":{"id":7}}`, want{eval.OutcomePass, "renamed", "tool lookup: the call adds to its name"}},
		"prefix and index":          {`{"name":"functions.lookup:0","arguments":{"id":7}}`, want{eval.OutcomePass, "renamed", "tool lookup: the call adds to its name"}},
		"prefix of a client":        {`{"name":"mcp__shop__lookup","arguments":{}}`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"}},
		"control tokens":            {`{"name":"lookup<|channel|>commentary","arguments":{"id":7}}`, want{eval.OutcomePass, "renamed", "tool lookup: the call adds to its name"}},
		"prefix, unknown":           {`{"name":"functions.drop_all","arguments":{}}`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
		"another prefix":            {`{"name":"admin.lookup","arguments":{"id":7}}`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
		"several in one":            {`{"type":"function_call","name":"parallel","arguments":"{\"tool_uses\":[{\"recipient_name\":\"functions.lookup\",\"parameters\":{}}]}"}`, want{eval.OutcomeCannotJudge, "", "several calls in one"}},
		"pieces of a stream":        {`{"index":0,"id":"c","type":"function","function":{"name":"lookup","arguments":""}},{"index":0,"function":{"arguments":"{\"id\""}},{"index":0,"function":{"arguments":":7}"}}`, want{eval.OutcomeCannotJudge, "", "calls in pieces"}},
		"pieces, LangChain":         {`{"name":"lookup","args":"","id":"c","index":0,"type":"tool_call_chunk"},{"name":null,"args":"{}","id":null,"index":0,"type":"tool_call_chunk"}`, want{eval.OutcomeCannotJudge, "", "calls in pieces"}},
		"not several in one":        {`{"name":"parallel","arguments":{}}`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
		"nothing known":             {`{"verb":"lookup","with":{"id":7}}`, unread},
		"a text":                    {`"lookup"`, unread},
		"null":                      {`null`, unread},
		"a list":                    {`[{"name":"lookup"}]`, unread},
		"a result":                  {`{"type":"tool_result","tool_use_id":"t","name":"lookup","content":"x"}`, unread},
		"a result, Vercel":          {`{"type":"tool-result","toolCallId":"t","toolName":"lookup","output":{"type":"text","value":"x"}}`, unread},
		"a message":                 {`{"role":"tool","name":"lookup","content":"x"}`, unread},
		"another thing with a name": {`{"type":"image","name":"lookup"}`, unread},
		"a name that is no text":    {`{"name":7,"arguments":{}}`, unread},
		"a good and an unknown":     {`{"name":"lookup","arguments":{"id":7}},{"verb":"x"}`, unread},
		"a good and a running":      {`{"name":"lookup","arguments":{"id":7}},{"name":"lookup","arguments":{},"status":"running"}`, passes("valid")},
		"an unknown and a running":  {`{"verb":"x"},{"name":"lookup","status":"running"}`, unread},
		"a listed and a server's":   {`{"name":"lookup","arguments":{"id":7}},{"type":"web_search_call","status":"completed"}`, passes("unchecked")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkVerdict(t, evaluate(t, v, newEvent(t, lookupTools+`,"tool_calls":[`+tt.calls+`]`)), tt.want)
		})
	}
	t.Run("score", func(t *testing.T) {
		t.Parallel()
		good, bad := `{"name":"lookup","arguments":{"id":7}}`, `{"name":"lookup","arguments":{}}`
		got := evaluate(t, v, newEvent(t, lookupTools+`,"tool_calls":[`+strings.Join([]string{good, good, bad, good, `{"verb":"x"}`, `{"name":"now","status":"queued"}`}, ",")+`]`))
		checkVerdict(t, got, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"})
		if got.Score != 0.75 { // of the four that were judged
			t.Errorf("score %v", got.Score)
		}
	})
}

// TestCallsWithoutTools: without the tools of the event only what needs none is judged.
func TestCallsWithoutTools(t *testing.T) {
	t.Parallel()
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, tt := range map[string]struct {
		calls string
		want  want
	}{
		"any name":      {`{"type":"function","function":{"name":"lookup","arguments":"{\"id\":7}"}}`, want{eval.OutcomePass, "unchecked", ""}},
		"truncated":     {`{"type":"function","function":{"name":"lookup","arguments":"{\"id\":"}}`, want{eval.OutcomeFail, "truncated", "tool *: arguments end too early"}},
		"free text":     {`{"type":"custom","custom":{"name":"sql","input":"SELECT 1"}}`, want{eval.OutcomePass, "unchecked", ""}},
		"encoded twice": {`{"name":"lookup","arguments":"\"{}\""}`, want{eval.OutcomePass, "encoded_twice", "tool *: arguments are encoded twice"}},
		"hosted":        {`{"type":"code_interpreter_call","code":"print(1)","status":"completed"}`, want{eval.OutcomePass, "unchecked", ""}},
		"unreadable":    {`{"verb":"x"}`, want{eval.OutcomeCannotJudge, "", "a call in no known form"}},
		"failed":        {`{"toolUse":{"name":"lookup","input":{}},"status":"error"}`, want{eval.OutcomeFail, "failed_tool", "tool * failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkVerdict(t, evaluate(t, v, newEvent(t, `"tool_calls":[`+tt.calls+`]`)), tt.want)
		})
	}
}
