package modelserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

const (
	chatPath  = "/v1/chat/completions"
	azurePath = "/openai/deployments/judge-small/chat/completions?api-version=2024-10-21"

	answerSchema = `{"type":"object","properties":{"criteria":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string","enum":["accurate","complete"]}}}}}}`
)

// message is one chat message of a test's request.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func body(t *testing.T, fields map[string]any) string {
	t.Helper()
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestScriptSeesTheRequest(t *testing.T) {
	t.Parallel()
	user := message{"user", `{"nonce":"n1","data":{"output":"Paris"}}`}
	again := message{"user", `{"nonce":"n2","correction":"again","data":{"output":"Paris"}}`}
	tests := map[string]struct {
		path   string
		fields map[string]any
		want   modelserver.Request
	}{
		"schema in response_format": {
			path: chatPath,
			fields: map[string]any{
				"model":    "small",
				"messages": []message{{"system", "You judge."}, user},
				"response_format": map[string]any{
					"type": "json_schema", "json_schema": map[string]any{"schema": json.RawMessage(answerSchema)},
				},
			},
			want: modelserver.Request{
				Model: "small", System: "You judge.", User: user.Content,
				Format: "json_schema", Criteria: []string{"accurate", "complete"}, Data: map[string]any{"output": "Paris"},
			},
		},
		"schema in the prompt, asked again, on Azure's path": {
			path: azurePath,
			fields: map[string]any{
				"messages":        []message{{"system", "Answer by this schema:\n" + answerSchema + "\nNothing else."}, again, {"user", "And."}},
				"response_format": map[string]any{"type": "json_object"},
			},
			want: modelserver.Request{
				Model: "judge-small", System: "Answer by this schema:\n" + answerSchema + "\nNothing else.", User: again.Content, Correction: "again",
				Format: "json_object", Criteria: []string{"accurate", "complete"}, Data: map[string]any{"output": "Paris"},
			},
		},
		"no format and no data": {
			path:   chatPath,
			fields: map[string]any{"model": "small", "messages": []message{{"user", "hello {"}}},
			want:   modelserver.Request{Model: "small", User: "hello {", Format: "fenced_json"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got modelserver.Request
			h := modelserver.New(func(r modelserver.Request) modelserver.Reply {
				got = r
				return modelserver.Reply{}
			})
			w := httptest.NewRecorder()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.path, strings.NewReader(body(t, tt.fields)))
			req.Header.Set("X-Test", "yes")
			h.ServeHTTP(w, req)
			if got.Header.Get("X-Test") != "yes" {
				t.Error("the script did not see the headers")
			}
			if string(got.Body) != body(t, tt.fields) {
				t.Error("the script did not see the body as it was sent")
			}
			got.Header, got.Body = nil, nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply  modelserver.Reply
		status int
		want   string
	}{
		"answer": {
			reply:  modelserver.Answer([]modelserver.Verdict{{ID: "accurate", Evidence: "e", Reason: "r", Verdict: "pass"}}),
			status: 200,
			want:   `"content":"{\"criteria\":[{\"id\":\"accurate\",\"evidence\":\"e\",\"reason\":\"r\",\"verdict\":\"pass\"}]}"`,
		},
		"answer without verdicts": {reply: modelserver.Answer(nil), status: 200, want: `{\"criteria\":[]}`},
		"usage":                   {reply: modelserver.Reply{PromptTokens: 7, CompletionTokens: 5}, status: 200, want: `"total_tokens":12`},
		"cut off":                 {reply: modelserver.Reply{FinishReason: "length"}, status: 200, want: `"finish_reason":"length"`},
		"refusal":                 {reply: modelserver.Reply{Refusal: "no"}, status: 200, want: `"refusal":"no"`},
		"rate limit":              {reply: modelserver.Reply{Status: 429, Content: "slow down"}, status: 429, want: `"type":"rate_limit_error"`},
		"server error":            {reply: modelserver.Reply{Status: 503}, status: 503, want: `"type":"server_error"`},
		"raw":                     {reply: modelserver.Reply{Status: 502, Raw: []byte("<html>")}, status: 502, want: "<html>"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.reply.Header = http.Header{"Retry-After": {"3"}}
			h := modelserver.New(func(modelserver.Request) modelserver.Reply { return tt.reply })
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, chatPath, strings.NewReader(`{"messages":[{"role":"user","content":"x"}]}`)))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s; want %d with %s", w.Code, w.Body, tt.status, tt.want)
			}
			if got := w.Header().Get("Retry-After"); got != "3" {
				t.Errorf("Retry-After = %q; want 3", got)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path, body string
		status             int
	}{
		"no JSON":       {http.MethodPost, chatPath, "{", 400},
		"no messages":   {http.MethodPost, chatPath, "{}", 400},
		"stream":        {http.MethodPost, chatPath, `{"stream":true,"messages":[{"role":"user"}]}`, 400},
		"too large":     {http.MethodPost, chatPath, `"` + strings.Repeat("x", 16<<20) + `"`, 413},
		"wrong method":  {http.MethodGet, chatPath, "", 404},
		"no such route": {http.MethodPost, "/v1/embeddings", "{}", 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := modelserver.New(func(modelserver.Request) modelserver.Reply {
				t.Error("the script was called")
				return modelserver.Reply{}
			})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), `"error"`) {
				t.Errorf("got %d %s; want %d with an error", w.Code, w.Body, tt.status)
			}
		})
	}
}

// A delay ends with its client, or the server could not be closed at the end of a test.
func TestDelayEndsWithTheClient(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	srv := httptest.NewServer(modelserver.New(func(modelserver.Request) modelserver.Reply {
		close(asked)
		return modelserver.Reply{Delay: time.Hour}
	}))
	defer srv.Close() // blocks until the handler has returned
	defer srv.Client().CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+chatPath, strings.NewReader(`{"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		resp, err := srv.Client().Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		done <- err
	}()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v; want canceled", err)
	}
}
