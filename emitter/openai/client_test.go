package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	goopenai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

// events is an Emitter that keeps what it is given.
type events []event.Event

func (e *events) Emit(_ context.Context, ev event.Event) error {
	*e = append(*e, ev)
	return nil
}

const whole = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-5-2026","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"Looking.","tool_calls":[{"id":"t1","type":"function","function":{"name":"lookup","arguments":"{\"id\": 7"}}]}}],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}`

var pieces = []string{
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-2026","choices":[{"index":0,"delta":{"role":"assistant"}}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-2026","choices":[{"index":0,"delta":{"content":"Look"}}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-2026","choices":[{"index":0,"delta":{"content":"ing."}}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"lookup","arguments":"{\"id\""}}]}}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-2026","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":": 7"}}]},"finish_reason":"tool_calls"}]}`,
	`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5-2026","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}`,
}

// wrapped returns a client of a server that answers every request alike.
func wrapped(t *testing.T, status int, answer string, more ...func(*event.Event)) (*openai.Client, *events) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if strings.HasPrefix(answer, "data:") {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	cfg := goopenai.DefaultConfig("none")
	cfg.BaseURL = server.URL
	published := &events{}
	set := append([]func(*event.Event){func(e *event.Event) { e.Feature, e.PromptName, e.PromptVersion = "support", "triage", "v3" }}, more...)
	return openai.Wrap(goopenai.NewClientWithConfig(cfg), published, set...), published
}

func asStream(pieces []string) string {
	return "data: " + strings.Join(pieces, "\n\ndata: ") + "\n\ndata: [DONE]\n\n"
}

var request = goopenai.ChatCompletionRequest{
	Model:    "gpt-5",
	Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: "Where is my order?"}},
	Tools:    []goopenai.Tool{{Type: "function", Function: &goopenai.FunctionDefinition{Name: "lookup"}}},
}

// only returns the one event that was published.
func only(t *testing.T, published *events) event.Event {
	t.Helper()
	if len(*published) != 1 {
		t.Fatalf("%d events, want 1", len(*published))
	}
	return (*published)[0]
}

func TestAnAnswerAndItsStreamAreOneEvent(t *testing.T) {
	t.Parallel()
	for _, streaming := range []bool{false, true} {
		var published *events
		if streaming {
			var client *openai.Client
			client, published = wrapped(t, 200, asStream(pieces))
			stream, err := client.CreateChatCompletionStream(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for ; err == nil; n++ {
				_, err = stream.Recv()
			}
			if !errors.Is(err, io.EOF) || n != len(pieces)+1 {
				t.Errorf("%d pieces, %v", n-1, err)
			}
			_ = stream.Close()
		} else {
			var client *openai.Client
			client, published = wrapped(t, 200, whole)
			if _, err := client.CreateChatCompletion(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		}
		e := only(t, published)
		calls := e.Calls()
		got := map[string]any{
			"answer": e.Output.Reply(), "calls": len(calls), "feature": e.Feature, "prompt": e.PromptName + "/" + e.PromptVersion, "model": e.Model,
			"status": e.Status, "finish": e.FinishReason, "in": *e.InputTokens, "out": *e.OutputTokens, "total": *e.TotalTokens,
			"provider": e.Provider, "latency": *e.LatencyMS > 0, "first": e.FirstTokenLatencyMS != nil, "streaming": e.Streaming != nil,
			"input": string(e.Input.Raw()), "tools": string(e.Tools.Raw()),
		}
		want := map[string]any{
			"answer": "Looking.", "calls": 1, "feature": "support", "prompt": "triage/v3", "model": "gpt-5-2026",
			"status": "success", "finish": "tool_calls", "in": int64(12), "out": int64(5), "total": int64(17),
			"provider": "openai", "latency": true, "first": streaming, "streaming": streaming,
			"input": `[{"role":"user","content":"Where is my order?"}]`, "tools": `[{"function":{"name":"lookup","parameters":null},"type":"function"}]`,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("streaming %v: %s", streaming, d)
		}
		if len(calls) == 1 && (calls[0].Name != "lookup" || !strings.Contains(string(e.Output.Raw()), `"arguments":"{\"id\": 7"`)) {
			t.Errorf("streaming %v: call %+v in %s", streaming, calls[0], e.Output.Raw())
		}
		var answer map[string]any
		if err := json.Unmarshal(e.Output.Raw(), &answer); err != nil || answer["object"] != "chat.completion" {
			t.Errorf("streaming %v: the output is no chat completion: %v, %s", streaming, err, e.Output.Raw())
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		answer string
		want   string
	}{
		{"code", 429, `{"error":{"message":"no","type":"requests","code":"rate_limit_exceeded"}}`, "rate_limit_exceeded"},
		{"type", 400, `{"error":{"message":"no","type":"invalid_request_error"}}`, "invalid_request_error"},
		{"another body", 502, `bad gateway`, "http_502"},
	} {
		client, published := wrapped(t, test.status, test.answer)
		if _, err := client.CreateChatCompletion(t.Context(), request); err == nil {
			t.Errorf("%s: no error", test.name)
		}
		if e := only(t, published); e.Status != "error" || e.ErrorType != test.want || e.Model != "gpt-5" {
			t.Errorf("%s: %s, %q, want %q", test.name, e.Status, e.ErrorType, test.want)
		}
	}
	client, published := wrapped(t, 200, whole)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.CreateChatCompletion(ctx, request); err == nil {
		t.Error("no error")
	}
	if e := only(t, published); e.ErrorType != "cancelled" {
		t.Errorf("a cancelled request is %q", e.ErrorType)
	}
}

func TestStreamThatIsLeft(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, asStream(pieces))
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if e := only(t, published); e.Output.Reply() != "Look" || e.Status != "error" || e.ErrorType != "cancelled" {
		t.Errorf("%q, %s, %s", e.Output.Reply(), e.Status, e.ErrorType)
	}
}

// TestChoicesThatAlternate: the pieces of several choices are joined each to its own.
func TestChoicesThatAlternate(t *testing.T) {
	t.Parallel()
	const each = 20_000
	var all []string
	for range each {
		for index, text := range []string{"abcdefgh", "é", ""} {
			all = append(all, fmt.Sprintf(`{"choices":[{"index":%d,"delta":{"content":%q,"reasoning_content":"r"}}]}`, index, text))
		}
	}
	client, published := wrapped(t, 200, asStream(all))
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	for err == nil {
		_, err = stream.Recv()
	}
	_ = stream.Close()
	var answer goopenai.ChatCompletionResponse
	if err := json.Unmarshal(only(t, published).Output.Raw(), &answer); err != nil || len(answer.Choices) != 3 {
		t.Fatalf("%d choices, %v", len(answer.Choices), err)
	}
	for i, text := range []string{"abcdefgh", "é", ""} {
		if m := answer.Choices[i].Message; m.Content != strings.Repeat(text, each) || m.ReasoningContent != strings.Repeat("r", each) {
			t.Errorf("choice %d has %d and %d bytes", i, len(m.Content), len(m.ReasoningContent))
		}
	}
}

// TestMessagesInAStream: a server that sends messages, or something else in their place,
// beside the pieces costs none of the pieces.
func TestMessagesInAStream(t *testing.T) {
	t.Parallel()
	var sent []string
	for _, piece := range pieces {
		sent = append(sent, strings.ReplaceAll(piece, `"delta":`, `"message":"","delta":`))
	}
	client, published := wrapped(t, 200, asStream(sent))
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	for err == nil {
		_, err = stream.Recv()
	}
	if e := only(t, published); e.Output.Reply() != "Looking." || len(e.Calls()) != 1 || e.Status != "success" {
		t.Errorf("%v: %s", err, e.Output.Raw())
	}
}
