package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestOffers: a definition is read in every form in which it is written. An offer is
// written as its name, with = and its schema, and ~ for free text.
func TestOffers(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object"}`
	f := []string{"f=" + schema}
	for name, tt := range map[string]struct {
		tools  string
		want   []string
		open   bool
		unread bool
	}{
		"OpenAI":                 {`[{"type":"function","function":{"name":"f","description":"x","parameters":S,"strict":true}}]`, f, false, false},
		"OpenAI, Responses":      {`[{"type":"function","name":"f","parameters":S}]`, f, false, false},
		"OpenAI, custom":         {`[{"type":"custom","custom":{"name":"f","format":{"type":"text"}}},{"type":"custom","name":"g"}]`, []string{"f~", "g~"}, false, false},
		"OpenAI, hosted":         {`[{"type":"web_search"},{"type":"code_interpreter","container":{"type":"auto"}}]`, []string{"web_search", "code_interpreter"}, false, false},
		"OpenAI, MCP":            {`[{"type":"mcp","server_label":"s","server_url":"https://x"},{"type":"function","name":"f","parameters":S}]`, f, true, false},
		"OpenAI, MCP, some":      {`[{"type":"mcp","server_label":"s","allowed_tools":["f","g"]}]`, []string{"f", "g"}, false, false},
		"OpenAI, MCP, filter":    {`[{"type":"mcp","server_label":"s","allowed_tools":{"tool_names":["f"]}}]`, []string{"f"}, false, false},
		"OpenAI, MCP, listed":    {`[{"type":"mcp_list_tools","server_label":"s","tools":[{"name":"f","input_schema":S}]}]`, f, false, false},
		"OpenAI, namespace":      {`[{"type":"namespace","name":"crm","tools":[{"type":"function","name":"f","parameters":S}]}]`, f, false, false},
		"OpenAI, legacy":         {`{"functions":[{"name":"f","parameters":S}]}`, f, false, false},
		"Anthropic":              {`[{"name":"f","input_schema":S}]`, f, false, false},
		"Anthropic, hosted":      {`[{"type":"web_search_20250305","name":"web_search","max_uses":5}]`, []string{"web_search"}, false, false},
		"Anthropic, MCP":         {`[{"type":"mcp_toolset","mcp_server_name":"s"}]`, nil, true, false},
		"Gemini":                 {`[{"functionDeclarations":[{"name":"f","parameters":S}]}]`, f, false, false},
		"Gemini, snake":          {`[{"function_declarations":[{"name":"f","parameters":S}]}]`, f, false, false},
		"Gemini, JSON Schema":    {`[{"functionDeclarations":[{"name":"f","parametersJsonSchema":S}]}]`, f, false, false},
		"Gemini, beside":         {`[{"googleSearch":{}},{"google_search":{}},{"codeExecution":{}},{"url_context":{}},{"functionDeclarations":[{"name":"f","parameters":S}]}]`, []string{"google_search", "google_search", "code_execution", "url_context", f[0]}, false, false},
		"Gemini, in one":         {`[{"functionDeclarations":[{"name":"f","parameters":S}],"googleSearch":{}}]`, []string{f[0], "google_search"}, false, false},
		"Gemini, declarations":   {`{"functionDeclarations":[{"name":"f","parameters":S}]}`, f, false, false},
		"Bedrock":                {`{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":S}}},{"cachePoint":{"type":"default"}}],"toolChoice":{"auto":{}}}`, f, false, false},
		"Bedrock, configuration": {`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":S}}}]}}`, f, false, false},
		"Bedrock, system":        {`[{"systemTool":{"name":"nova_grounding"}}]`, []string{"nova_grounding"}, false, false},
		"Vercel":                 {`[{"type":"function","name":"f","inputSchema":S}]`, f, false, false},
		"Vercel, by name":        {`{"f":{"description":"x","inputSchema":{"jsonSchema":S}}}`, f, false, false},
		"Vercel, provider":       {`[{"type":"provider-defined","id":"openai.web_search","name":"web_search","args":{}}]`, []string{"web_search"}, false, false},
		"LangChain":              {`[{"name":"f","description":"x","args_schema":S}]`, f, false, false},
		"LangChain, arguments":   {`[{"name":"f","args":{"a":{"type":"integer"}}}]`, []string{`f={"type":"object","properties":{"a":{"type":"integer"}}}`}, false, false},
		"LangChain, dumped":      {`[{"lc":1,"type":"constructor","id":["x"],"kwargs":{"name":"f","args_schema":S}}]`, f, false, false},
		"LangChain, not dumped":  {`[{"lc":1,"type":"not_implemented","id":["x"]}]`, nil, false, true},
		"MCP":                    {`{"tools":[{"name":"f","inputSchema":S,"outputSchema":{}}],"nextCursor":"x"}`, f, false, false},
		"Cohere 1":               {`[{"name":"f","parameter_definitions":{"a":{"type":"int","required":true}}}]`, []string{`f={"type":"object","properties":{"a":{"type":"int","required":true}}}`}, false, false},
		"Pydantic AI":            {`[{"name":"f","parameters_json_schema":S}]`, f, false, false},
		"names":                  {`["f","g"]`, []string{"f", "g"}, false, false},
		"schemas by name":        {`{"f":S,"g":true,"h":null}`, []string{f[0], "g=true", "h"}, false, false},
		"one":                    {`{"name":"f","parameters":S}`, f, false, false},
		"one, in an object":      {`{"function":{"name":"f","parameters":S}}`, f, false, false},
		"named function":         {`{"function":S}`, []string{"function=" + schema}, false, false},
		"as a string":            {`"[{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}]"`, f, false, false},
		"schema as a string":     {`[{"name":"f","parameters":"{\"type\":\"object\"}"}]`, f, false, false},
		"nothing":                {`[]`, nil, false, false},
		"beside what is unknown": {`[{"name":"f","parameters":S},{"verb":"x"},7]`, f, false, true},
		"text":                   {`"f and g"`, nil, false, true},
		"a number":               {`7`, nil, false, true},
		"a schema":               {`{"type":"object","properties":{}}`, nil, false, true},
		"too deep":               {`[[[[["f"]]]]]`, nil, false, true},
		"too many":               {`["f"` + strings.Repeat(`,"f"`, MaxItems) + `]`, nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Event{Tools: JSON(json.RawMessage(strings.ReplaceAll(tt.tools, ":S", ":"+schema)))}
			got := e.Offers()
			var offers []string
			for _, o := range got.List {
				s := o.Name
				if o.Schema != nil {
					s += "=" + string(o.Schema)
				}
				if o.FreeText {
					s += "~"
				}
				offers = append(offers, s)
			}
			if !slices.Equal(offers, tt.want) || got.Open != tt.open || got.Unread != tt.unread {
				t.Errorf("got %q, open %t, unread %t; want %q, %t, %t", offers, got.Open, got.Unread, tt.want, tt.open, tt.unread)
			}
		})
	}
}

func TestBareToolName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"lookup": "lookup", "functions.lookup": "lookup", "functions.lookup:0": "lookup", "lookup<|channel|>commentary": "lookup", " lookup ": "lookup",
		"default_api.lookup": "lookup", "mcp__shop__lookup": "lookup", "mcp__lookup": "mcp__lookup", "shop.lookup": "shop.lookup", "lookup:v2": "lookup:v2", "": "",
	} {
		if got := BareToolName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func ExampleEvent_Offers() {
	e, err := Decode([]byte(`{"event":"llm_request_completed","request_id":"r1","tools":[{"type":"function","function":{"name":"lookup"}}],
		"tool_calls":[{"type":"function","function":{"name":"lookup","arguments":"{\"id\":7}"}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Offers().List[0].Name, e.Calls()[0].Name)
	// Output: lookup lookup
}
