package model

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/judges"
)

// inProcess carries calls to a handler without a network, so that retries take no time
// under synctest.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, req)
	return w.Result(), nil
}

// field returns a member of a request's body as JSON, or "".
func field(r modelserver.Request, name string) string {
	var body map[string]json.RawMessage
	_ = json.Unmarshal(r.Body, &body)
	return string(body[name])
}

// TestServers judges two events on servers as they are in the field. Each verdict has to
// be right, with at most one call more than an honest server needs, and the breaker has
// to stay closed.
func TestServers(t *testing.T) {
	t.Parallel()
	const (
		good  = bothPassed
		draft = `{"criteria":[{"id":"accurate","evidence":"","reason":"","verdict":"fail"},{"id":"complete","evidence":"","reason":"","verdict":"fail"}]}`
	)
	quote := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	raw := func(format string, args ...any) modelserver.Reply {
		return modelserver.Reply{Raw: fmt.Appendf(nil, format, args...)}
	}
	message := func(content string) modelserver.Reply {
		return raw(`{"id":"1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":%s}}],"usage":{"prompt_tokens":100,"completion_tokens":10}}`, content)
	}
	refuse := func(status int, format string, args ...any) modelserver.Reply {
		r := raw(format, args...)
		r.Status = status
		return r
	}
	always := func(r modelserver.Reply) func(int, modelserver.Request) modelserver.Reply {
		return func(int, modelserver.Request) modelserver.Reply { return r }
	}
	first := func(r modelserver.Reply) func(int, modelserver.Request) modelserver.Reply {
		return func(n int, _ modelserver.Request) modelserver.Reply {
			if n == 1 {
				return r
			}
			return message(quote(good))
		}
	}
	without := func(format string, r modelserver.Reply) func(int, modelserver.Request) modelserver.Reply {
		return func(_ int, q modelserver.Request) modelserver.Reply {
			if q.Format == format {
				return r
			}
			return message(quote(good))
		}
	}
	tests := map[string]struct {
		answer func(call int, r modelserver.Request) modelserver.Reply
		change func(*Config)
		calls  [2]int
	}{
		"honest": {answer: always(message(quote(good))), calls: [2]int{1, 1}},

		"think":                 {answer: always(message(quote("<think>\n" + draft + "\n</think>\n" + good))), calls: [2]int{1, 1}},
		"closing tag alone":     {answer: always(message(quote("Hm: " + draft + "\n</think>\n" + good))), calls: [2]int{1, 1}},
		"parts":                 {answer: always(message(`[{"type":"text","text":` + quote(good) + `}]`)), calls: [2]int{1, 1}},
		"parts of strings":      {answer: always(message(`[` + quote(good[:20]) + `,` + quote(good[20:]) + `]`)), calls: [2]int{1, 1}},
		"thinking of Magistral": {answer: always(message(`[{"type":"thinking","thinking":[{"type":"text","text":` + quote(draft) + `}]},{"type":"text","text":` + quote(good) + `}]`)), calls: [2]int{1, 1}},
		"reasoning part":        {answer: always(message(`[{"type":"reasoning","text":` + quote(draft) + `},{"type":"output_text","text":` + quote(good) + `}]`)), calls: [2]int{1, 1}},
		"one part":              {answer: always(message(`{"type":"text","text":` + quote(good) + `}`)), calls: [2]int{1, 1}},
		"answer as an object":   {answer: always(message(good)), calls: [2]int{1, 1}},
		"end of turn":           {answer: always(message(quote(good + "<|im_end|>"))), calls: [2]int{1, 1}},
		"byte order mark":       {answer: always(message(quote("\ufeff" + good + "\u200b"))), calls: [2]int{1, 1}},
		"fence":                 {answer: always(message(quote("```json\n" + good + "\n```"))), calls: [2]int{1, 1}},
		"harmony":               {answer: always(message(quote("<|channel|>analysis<|message|>" + draft + "<|end|><|start|>assistant<|channel|>final<|message|>" + good))), calls: [2]int{1, 1}},
		"mark before the reply": {answer: always(raw("\ufeff%s", message(quote(good)).Raw)), calls: [2]int{1, 1}},
		"prose, then an answer": {answer: first(message(quote("It passes."))), calls: [2]int{2, 1}},
		"thinks until the bound": {answer: func(_ int, r modelserver.Request) modelserver.Reply {
			if field(r, "max_tokens") == "2048" {
				return raw(`{"choices":[{"finish_reason":"length","message":{"content":"","reasoning_content":"So"}}],"usage":{"prompt_tokens":9,"completion_tokens":2048}}`)
			}
			return message(quote(good))
		}, change: func(c *Config) { c.Model = "house-judge" }, calls: [2]int{2, 1}},

		"thinks in secret": {answer: func(_ int, r modelserver.Request) modelserver.Reply {
			if field(r, "max_tokens") == "2048" {
				return raw(`{"choices":[{"finish_reason":"length","message":{"content":null}}],"usage":{"prompt_tokens":9,"completion_tokens":2048,"completion_tokens_details":{"reasoning_tokens":2048}}}`)
			}
			return message(quote(good))
		}, change: func(c *Config) { c.Model = "house-judge" }, calls: [2]int{2, 1}},

		"Azure deployment of a reasoning model": {answer: func(_ int, r modelserver.Request) modelserver.Reply {
			switch {
			case field(r, "max_tokens") != "":
				return refuse(400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`)
			case field(r, "temperature") != "":
				return refuse(400, `{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`)
			}
			return message(quote(good))
		}, change: func(c *Config) { c.API, c.Model = apiAzure, "fast" }, calls: [2]int{2, 1}},
		"no temperature": {answer: func(_ int, r modelserver.Request) modelserver.Reply {
			if field(r, "temperature") != "" {
				return refuse(400, `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"temperature is deprecated for this model\"}}"}}}`)
			}
			return message(quote(good))
		}, change: func(c *Config) { c.Model = "house-judge" }, calls: [2]int{2, 1}},
		"no seed": {answer: func(_ int, r modelserver.Request) modelserver.Reply {
			if field(r, "seed") != "" {
				return refuse(422, `{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted","input":7}]}`)
			}
			return message(quote(good))
		}, change: func(c *Config) { c.Seed = new(7) }, calls: [2]int{2, 1}},
		"older server, newer name": {answer: func(_ int, r modelserver.Request) modelserver.Reply {
			if field(r, "max_completion_tokens") != "" {
				return refuse(400, `{"object":"error","message":"[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are not permitted', 'input': 10240}]","type":"BadRequestError","code":400}`)
			}
			return message(quote(good))
		}, calls: [2]int{2, 1}},

		"error in the choice":        {answer: first(raw(`{"choices":[{"error":{"code":502,"message":"upstream"},"finish_reason":"error","message":{"content":""}}]}`)), calls: [2]int{2, 1}},
		"finish reason error":        {answer: first(raw(`{"choices":[{"finish_reason":"error","message":{"content":"{"}}]}`)), calls: [2]int{2, 1}},
		"an error that is the reply": {answer: first(raw(`{"code":"rate_limit_exceeded","message":"Error code: 429"}`)), calls: [2]int{2, 1}},
		"Cerebras":                   {answer: without(judges.FormatSchema, refuse(400, `{"message":"type: Input should be 'text'","type":"invalid_request_error","param":"validation_error","code":"wrong_api_format"}`)), calls: [2]int{2, 1}},
		"out of resources":           {answer: first(raw(`{"choices":[{"finish_reason":"insufficient_system_resource","message":{"content":%s}}]}`, quote(draft[:30]))), calls: [2]int{2, 1}},
		"broken off by the server":   {answer: first(raw(`{"choices":[{"finish_reason":"abort","message":{"content":%s}}]}`, quote(draft[:30]))), calls: [2]int{2, 1}},
		"error in the reply":         {answer: first(raw(`{"error":{"message":"overloaded","type":"overloaded_error"}}`)), calls: [2]int{2, 1}},
		"error beside a choice":      {answer: first(raw(`{"error":{"message":"broke off"},"choices":[{"message":{"content":%s}}]}`, quote(draft))), calls: [2]int{2, 1}},
		"no choice":                  {answer: first(raw(`{"choices":[]}`)), calls: [2]int{2, 1}},
		"no reply":                   {answer: first(raw(`<html>`)), calls: [2]int{2, 1}},
		"empty members of an error":  {answer: always(raw(`{"error":null,"choices":[{"error":{},"message":{"content":%s}}]}`, quote(good))), calls: [2]int{1, 1}},

		"odd types": {answer: always(raw(`{"id":7,"object":1,"created":"now","model":null,"service_tier":4,"choices":[{"index":"0","logprobs":"none","finish_reason":null,
			"message":{"role":1,"content":%s,"tool_calls":[{"index":"a","function":{"arguments":{"a":1}}}],"function_call":[]}}],
			"usage":{"prompt_tokens":100.0,"completion_tokens":"10","total_tokens":null,"prompt_tokens_details":7}}`, quote(good))), calls: [2]int{1, 1}},
		"created as a float": {answer: always(raw(`{"created":1764451200.25,"choices":[{"message":{"content":%s}}]}`, quote(good))), calls: [2]int{1, 1}},

		"grammar of llama.cpp": {answer: without(judges.FormatSchema, refuse(500, `{"error":{"code":500,"message":"Failed to initialize samplers: failed to parse grammar","type":"server_error"}}`)), calls: [2]int{2, 1}},
		"grammar of TGI":       {answer: without(judges.FormatSchema, refuse(422, `{"error":"Grammar error: invalid schema","error_type":"validation"}`)), calls: [2]int{2, 1}},
		"Gemini on the schema": {answer: without(judges.FormatSchema, refuse(400, `[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field."}}]`)), calls: [2]int{2, 1}},
		"vLLM":                 {answer: without(judges.FormatSchema, refuse(400, `{"object":"error","message":"guided_json is not supported"}`)), calls: [2]int{2, 1}},
		"Groq, once":           {answer: first(refuse(400, `{"error":{"message":"Failed to generate JSON.","type":"invalid_request_error","code":"json_validate_failed","failed_generation":"{"}}`)), calls: [2]int{2, 1}},
		"Groq, on the last rung": {
			answer: first(refuse(400, `{"error":{"message":"Failed to generate JSON.","type":"invalid_request_error","code":"json_validate_failed","failed_generation":"{"}}`)),
			change: func(c *Config) { c.Format = judges.FormatFenced }, calls: [2]int{2, 1},
		},
		"ignores the schema": {answer: without(judges.FormatSchema, message(quote("Everything passes."))), calls: [2]int{2, 2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				calls, before := 0, 0
				server := modelserver.New(func(r modelserver.Request) modelserver.Reply {
					mu.Lock()
					defer mu.Unlock()
					calls++
					return tt.answer(calls, r)
				})
				cfg := DefaultConfig()
				cfg.BaseURL, cfg.APIKey = "http://server.test/v1", "k"
				if tt.change != nil {
					tt.change(&cfg)
				}
				if cfg.API != apiOpenAI {
					cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/v1")
				}
				m, err := New(cfg, Deps{Transport: inProcess{server}, Getenv: func(string) string { return "" }})
				if err != nil {
					t.Fatal(err)
				}
				j := supportJudge(t, m)
				for i, want := range tt.calls {
					before = calls
					v, err := j.Evaluate(t.Context(), supportEvent(inDays))
					if err != nil || v.Outcome != eval.OutcomePass {
						t.Fatalf("event %d: verdict = %+v, err = %v; want a pass", i+1, v, err)
					}
					if made := calls - before; made != want || v.Usage.Calls != want {
						t.Errorf("event %d: %d calls, of which %d are counted; want %d", i+1, made, v.Usage.Calls, want)
					}
				}
				if c := m.Condition(); c.Breaker != stateClosed {
					t.Errorf("the breaker is %s", c.Breaker)
				}
			})
		})
	}
}

// TestTokens reads what servers say that a call used.
func TestTokens(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		usage string
		want  tokens
	}{
		"OpenAI":                      {`{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_tokens_details":{"cached_tokens":40},"completion_tokens_details":{"reasoning_tokens":20}}`, tokens{100, 40, 0, 30}},
		"cache writes":                {`{"prompt_tokens":100,"completion_tokens":30,"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":50}}`, tokens{100, 40, 50, 30}},
		"DeepSeek":                    {`{"prompt_tokens":100,"completion_tokens":30,"total_tokens":130,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}`, tokens{100, 64, 0, 30}},
		"Gemini, thinking outside":    {`{"prompt_tokens":100,"completion_tokens":30,"total_tokens":630}`, tokens{100, 0, 0, 530}},
		"Grok, thinking outside":      {`{"prompt_tokens":100,"completion_tokens":30,"completion_tokens_details":{"reasoning_tokens":500}}`, tokens{100, 0, 0, 530}},
		"Anthropic":                   {`{"input_tokens":100,"output_tokens":30,"cache_read_input_tokens":40,"cache_creation_input_tokens":50}`, tokens{190, 40, 50, 30}},
		"a proxy that adds the cache": {`{"prompt_tokens":190,"completion_tokens":30,"total_tokens":220,"cache_read_input_tokens":40,"cache_creation_input_tokens":50}`, tokens{190, 40, 50, 30}},
		"a proxy that does not":       {`{"prompt_tokens":100,"completion_tokens":30,"total_tokens":220,"cache_read_input_tokens":40,"cache_creation_input_tokens":50}`, tokens{190, 40, 50, 30}},
		"Responses":                   {`{"input_tokens":100,"output_tokens":30,"total_tokens":130,"input_tokens_details":{"cached_tokens":40},"output_tokens_details":{"reasoning_tokens":20}}`, tokens{100, 40, 0, 30}},
		"floats and strings":          {`{"prompt_tokens":100.0,"completion_tokens":"30","total_tokens":"130.0"}`, tokens{100, 0, 0, 30}},
		"details of another type":     {`{"prompt_tokens":100,"completion_tokens":30,"prompt_tokens_details":3,"completion_tokens_details":[]}`, tokens{100, 0, 0, 30}},
		"more cached than sent":       {`{"prompt_tokens":10,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":99}}`, tokens{10, 10, 0, 3}},
		"negative":                    {`{"prompt_tokens":10,"completion_tokens":-5}`, tokens{}},
		"2^63":                        {`{"prompt_tokens":9223372036854775808,"completion_tokens":5}`, tokens{}},
		"not a number":                {`{"prompt_tokens":"NaN","completion_tokens":5}`, tokens{}},
		"infinite":                    {`{"prompt_tokens":1e999,"completion_tokens":5}`, tokens{}},
		"words":                       {`{"prompt_tokens":"many"}`, tokens{}},
		"no usage":                    {`null`, tokens{}},
		"usage of another type":       {`[1]`, tokens{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := readUsage(json.RawMessage(tt.usage)); got != tt.want {
				t.Errorf("got %+v; want %+v", got, tt.want)
			}
		})
	}
}

// FuzzReply: whatever a server sends, no count is negative or impossible.
func FuzzReply(f *testing.F) {
	f.Add([]byte(said(onePass)))
	f.Add([]byte(`{"choices":[{"message":{"content":[{"type":"text","text":{"value":"x"}}]}}],"usage":{"prompt_tokens":-1,"cache_read_input_tokens":5}}`))
	f.Add([]byte(`{"error":{"code":"x"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, _, err := readReply(body)
		if (r == nil) != (err != nil) {
			t.Fatalf("reply %v, err %v", r, err)
		}
		if r == nil {
			return
		}
		u := r.usage
		if u.cached < 0 || u.written < 0 || u.output < 0 || u.cached+u.written > u.input || u.output > 4*maxCount || u.input > 4*maxCount {
			t.Errorf("usage = %+v", u)
		}
	})
}
