package modelserver

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"
)

// Reply is a scripted response.
type Reply struct {
	Status int         // 0: 200
	Header http.Header // added to the server's own

	// Content is the assistant's message or, from status 400 on, the error's
	// message in OpenAI's error format. Raw, when not nil, is sent as the whole
	// body instead.
	Content string
	Raw     []byte

	// Token counts; 0: a quarter of the characters, so that usage is never absent.
	PromptTokens, CompletionTokens int

	FinishReason string // "": stop
	Refusal      string

	// Delay before the first byte; it ends early when the client disconnects.
	Delay time.Duration
}

// Verdict is a scripted answer to one criterion.
type Verdict struct {
	ID       string `json:"id"`
	Evidence string `json:"evidence"`
	Reason   string `json:"reason"`
	Verdict  string `json:"verdict"` // pass, fail, not_applicable or cannot_judge
}

// Answer returns the reply of a model with these verdicts, in the form that judges ask
// for.
func Answer(verdicts []Verdict) Reply {
	if verdicts == nil {
		verdicts = []Verdict{}
	}
	b, err := json.Marshal(struct {
		Criteria []Verdict `json:"criteria"`
	}{verdicts})
	if err != nil { // strings always marshal
		return Reply{Status: http.StatusInternalServerError, Content: err.Error()}
	}
	return Reply{Content: string(b)}
}

func (r Reply) body(req Request) []byte {
	if r.Raw != nil {
		return r.Raw
	}
	var v any
	if r.Status >= http.StatusBadRequest {
		v = errorBody(r.Status, r.Content)
	} else {
		v = r.completion(req)
	}
	b, err := json.Marshal(v)
	if err != nil { // plain strings and numbers always marshal
		return []byte(`{}`)
	}
	return append(b, '\n')
}

func (r Reply) completion(req Request) any {
	message := map[string]any{"role": "assistant", "content": r.Content}
	if r.Refusal != "" {
		message["refusal"] = r.Refusal
	}
	prompt := cmp.Or(r.PromptTokens, (len(req.Body)+3)/4)
	completion := cmp.Or(r.CompletionTokens, (len(r.Content)+3)/4)
	return map[string]any{
		"id":                 "chatcmpl-scripted",
		"object":             "chat.completion",
		"created":            0,
		"model":              req.Model,
		"system_fingerprint": "scripted",
		"choices":            []any{map[string]any{"index": 0, "message": message, "finish_reason": cmp.Or(r.FinishReason, "stop")}},
		"usage": map[string]any{
			"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
		},
	}
}

// errorBody is an error in OpenAI's format.
func errorBody(status int, message string) any {
	kind := "invalid_request_error"
	switch {
	case status == http.StatusTooManyRequests:
		kind = "rate_limit_error"
	case status >= http.StatusInternalServerError:
		kind = "server_error"
	}
	return map[string]any{"error": map[string]any{"message": message, "type": kind, "param": nil, "code": nil}}
}
