package modelserver

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// maxBody bounds a request, in bytes.
const maxBody = 16 << 20

// Script answers one request. It is called from many goroutines at once.
type Script func(Request) Reply

// New returns a handler that answers with the script.
func New(script Script) http.Handler {
	chat := func(w http.ResponseWriter, r *http.Request) { serve(w, r, script) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", chat)
	mux.HandleFunc("POST /openai/deployments/{deployment}/chat/completions", chat)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		write(w, Reply{Status: http.StatusNotFound, Content: "no such endpoint: " + r.Method + " " + r.URL.Path}, Request{})
	})
	return mux
}

func serve(w http.ResponseWriter, r *http.Request, script Script) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		write(w, Reply{Status: status, Content: "the body cannot be read"}, Request{})
		return
	}
	req, err := parseRequest(body)
	if err != nil {
		write(w, Reply{Status: http.StatusBadRequest, Content: err.Error()}, Request{})
		return
	}
	if req.Model == "" {
		req.Model = r.PathValue("deployment")
	}
	req.Header = r.Header
	reply := script(req)
	if reply.Delay > 0 {
		t := time.NewTimer(reply.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
			return
		}
	}
	write(w, reply, req)
}

func write(w http.ResponseWriter, reply Reply, req Request) {
	b := reply.body(req)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	maps.Copy(w.Header(), reply.Header)
	w.WriteHeader(cmp.Or(reply.Status, http.StatusOK))
	_, _ = w.Write(b) // the client may have disconnected
}

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

// Answer returns a reply with these verdicts, in the form that judges ask for.
func Answer(verdicts []Verdict) Reply {
	if verdicts == nil {
		verdicts = []Verdict{}
	}
	b, _ := json.Marshal(struct { // strings always marshal
		Criteria []Verdict `json:"criteria"`
	}{verdicts})
	return Reply{Content: string(b)}
}

func (r Reply) body(req Request) []byte {
	if r.Raw != nil {
		return r.Raw
	}
	v := r.completion(req)
	if r.Status >= http.StatusBadRequest {
		v = errorBody(r.Status, r.Content)
	}
	b, _ := json.Marshal(v) // plain strings and numbers always marshal
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
