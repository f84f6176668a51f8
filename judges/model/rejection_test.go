package model

import (
	"testing"
)

// TestRejections lists what servers write about a format or a parameter that they do
// not take, and what they write that only looks like it.
func TestRejections(t *testing.T) {
	t.Parallel()
	const echo = `{"model":"m","messages":[{"role":"user","content":"unknown temperature, json_schema"}],"response_format":{"type":"json_schema"},"temperature":0}`
	format := rejection{format: true}
	parameter := func(name string) rejection { return rejection{parameter: name} }
	tests := map[string]struct {
		status      int // 0: 400
		body        string
		code, param string
		want        rejection
	}{
		"OpenAI names the format":               {body: `{"error":{"message":"m","param":"response_format.type"}}`, param: "response_format.type", want: format},
		"OpenAI on a schema":                    {body: `{"error":{"message":"Invalid schema for response_format 'verdicts'","param":"response_format"}}`, param: "response_format", want: format},
		"in words":                              {body: `{"error":{"message":"This model does not support JSON schema."}}`, want: format},
		"vLLM, guided decoding":                 {body: `{"object":"error","message":"guided_json is not supported by this backend"}`, want: format},
		"vLLM, structured outputs":              {body: `{"error":{"message":"Failed to compile structured outputs"}}`, want: format},
		"vLLM, as its own fault":                {status: 500, body: `{"object":"error","message":"EngineCore: xgrammar could not compile the schema"}`, want: format},
		"llama.cpp":                             {body: `{"error":{"code":400,"message":"Failed to parse grammar","type":"invalid_request_error"}}`, want: format},
		"llama.cpp, as its own fault":           {status: 500, body: `{"error":{"code":500,"message":"Failed to initialize samplers: failed to parse grammar"}}`, want: format},
		"llama.cpp on the schema":               {status: 500, body: `{"error":{"message":"JSON schema conversion failed: Unrecognized schema"}}`, want: format},
		"TGI":                                   {status: 422, body: `{"error":"Grammar error: invalid json schema","error_type":"validation"}`, want: format},
		"Gemini":                                {body: `[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field.","status":"INVALID_ARGUMENT"}}]`, want: format},
		"Groq, the answer did not fit":          {body: `{"error":{"message":"Failed to generate JSON. Please adjust your prompt.","type":"invalid_request_error","code":"json_validate_failed","failed_generation":"{"}}`, code: "json_validate_failed", want: format},
		"Groq, JSON mode":                       {body: `{"error":{"message":"json mode cannot be combined with this model"}}`, want: format},
		"FastAPI":                               {status: 422, body: `{"detail":[{"type":"extra_forbidden","loc":["body","response_format"],"msg":"Extra inputs are not permitted","input":{"type":"json_schema"}}]}`, want: format},
		"plain text":                            {status: 501, body: `response_format is not implemented`, want: format},
		"OpenRouter, wrapped":                   {body: `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"response_format is not supported\"}}"}}}`, want: format},
		"OpenAI on max_tokens":                  {body: `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}`, param: "max_tokens", code: "unsupported_parameter", want: parameter(paramMaxTokens)},
		"OpenAI on a temperature":               {body: `{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.","param":"temperature","code":"unsupported_value"}}`, param: "temperature", code: "unsupported_value", want: parameter(paramTemperature)},
		"code alone":                            {body: `{"error":{"message":"","param":"seed","code":"unsupported_parameter"}}`, param: "seed", code: "unsupported_parameter", want: parameter(paramSeed)},
		"in words, without param":               {body: `{"error":{"message":"max_tokens is no longer accepted, use max_completion_tokens"}}`, want: parameter(paramMaxTokens)},
		"OpenRouter, a wrapped parameter":       {body: `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens'\"}}"}}}`, want: parameter(paramMaxTokens)},
		"Mistral on a seed":                     {status: 422, body: `{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":7}]}`, want: parameter(paramSeed)},
		"older vLLM":                            {body: `{"object":"error","message":"[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are not permitted', 'input': 10}]"}`, want: parameter(paramMaxCompletionTokens)},
		"Gemini on a seed":                      {body: `[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"seed\": Cannot find field."}}]`, want: parameter(paramSeed)},
		"TGI on a temperature":                  {status: 422, body: `{"error":"` + "`temperature`" + ` must be strictly positive"}`, want: parameter(paramTemperature)},
		"Kimi on a temperature":                 {body: `{"error":{"message":"invalid temperature: only 1 is allowed for this model","type":"invalid_request_error"}}`, want: parameter(paramTemperature)},
		"Cerebras":                              {body: `{"message":"type: Input should be 'text'","type":"invalid_request_error","param":"validation_error","code":"wrong_api_format"}`, param: "validation_error", code: "wrong_api_format", want: format},
		"a gateway to the Responses API":        {body: `{"error":{"message":"Invalid schema","param":"text.format.schema","code":null}}`, param: "text.format.schema", want: format},
		"an effort":                             {body: `{"error":{"message":"Unrecognized request argument supplied: reasoning_effort","type":"invalid_request_error","param":null,"code":null}}`, want: parameter(paramEffort)},
		"Mistral, the complaint in the message": {status: 422, body: `{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],"msg":"Extra inputs are not permitted","input":32000}]},"type":"invalid_request_error","param":null,"code":null}`, want: parameter(paramMaxCompletionTokens)},
		"a proxy that quotes Mistral":           {status: 422, body: `{"object":"error","message":"{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"seed\"],\"msg\":\"Extra inputs are not permitted\",\"input\":0.0,\"url\":\"https://errors.pydantic.dev/2.5\"}]}","type":"internal_error_proxy","param":null,"code":"1000"}`, want: parameter(paramSeed)},
		"DeepSeek":                              {body: `{"error":{"message":"This response_format type is unavailable now","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`, want: format},
		"Fireworks":                             {body: `{"error":{"object":"error","type":"invalid_request_error","message":"Extra inputs are not permitted, field: 'response_format.schema_field', value: None"}}`, want: format},
		"Fireworks on a schema":                 {body: `{"error":{"type":"invalid_request_error","message":"JSON Schema not supported: could not understand the instance"},"type":"error"}`, want: format},
		"LM Studio":                             {body: `{"error":"'response_format.type' must be 'json_schema' or 'text'"}`, want: format},
		"DeepInfra":                             {status: 405, body: `{"error":{"message":"json_object response format is not supported for model: m","type":"APIError","code":"405"}}`, want: format},
		"too many tokens":                       {body: `{"error":{"message":"max_tokens is too large: 10240. This model supports at most 4096 completion tokens.","param":"max_tokens","code":"invalid_value"}}`, param: "max_tokens", code: "invalid_value"},
		"context is full":                       {body: `{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded","param":"messages"}}`, code: "context_length_exceeded", param: "messages"},
		"another parameter":                     {body: `{"error":{"message":"response_format","param":"messages"}}`, param: "messages"},
		"repeats the request":                   {body: `{"error":{"message":"cannot read ` + "`" + `","request":` + echo + `}}`},
		"repeats it in a text":                  {body: `{"error":{"message":"unexpected end in {\"model\":\"m\",\"temperature\":0,\"response_format\":{}}"}}`},
		"repeats it in Python":                  {body: `{"object":"error","message":"[{'type': 'value_error', 'loc': ('body',), 'msg': 'too long', 'input': {'response_format': {}, 'temperature': 0}}]"}`},
		"FastAPI repeats it":                    {status: 422, body: `{"body":` + echo + `,"detail":[{"input":` + echo + `,"loc":["body","messages"],"msg":"too long"}]}`},
		"pydantic repeats it":                   {body: "1 validation error\nmessages\n  too long [type=value_error, input_value={'response_format': {}}, input_type=dict]"},
		"repeats it, cut off":                   {status: 422, body: `{"detail":[{"loc":["body"],"input":{"response_format":`},
		"repeats the model's answer":            {body: `{"error":{"message":"odd","failed_generation":"unknown temperature, json_schema"}}`},
		"another status":                        {status: 404, body: `response_format is not supported`},
		"a fault that only names a format":      {status: 500, body: `json_object`},
		"a fault of the server":                 {status: 503, body: `failed to parse grammar`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status := tt.status
			if status == 0 {
				status = 400
			}
			if got := readRejection(status, []byte(tt.body), tt.code, tt.param); got != tt.want {
				t.Errorf("got %+v; want %+v", got, tt.want)
			}
		})
	}
}
