package openai

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/event"
)

// Emitter takes events; *emitter.Emitter is one.
type Emitter interface {
	Emit(ctx context.Context, e event.Event) error
}

// Client is a client of go-openai whose chat completions are published. It is safe for
// concurrent use, as the library's is.
type Client struct {
	*openai.Client
	emitter  Emitter
	defaults event.Event
}

// Wrap returns a client that publishes each chat completion with the fields of defaults,
// whose Provider is "openai" if it is empty.
func Wrap(c *openai.Client, em Emitter, defaults event.Event) *Client {
	if defaults.Provider == "" {
		defaults.Provider = "openai"
	}
	return &Client{c, em, defaults}
}

type withKey struct{}

// With returns a context whose requests have what set writes into their events. Nested
// ones add up, and the inner one counts. A RequestID that it sets must be unique; feedback
// names a request by it.
func With(ctx context.Context, set func(*event.Event)) context.Context {
	outer, _ := ctx.Value(withKey{}).(func(*event.Event))
	return context.WithValue(ctx, withKey{}, func(e *event.Event) {
		if outer != nil {
			outer(e)
		}
		set(e)
	})
}

// CreateChatCompletion is the library's method, published.
func (c *Client) CreateChatCompletion(ctx context.Context, request openai.ChatCompletionRequest) (openai.ChatCompletionResponse, error) {
	call := c.begin(ctx, request)
	answer, err := c.Client.CreateChatCompletion(ctx, request)
	if err == nil {
		call.answer(answer.Model, answer, &answer.Usage)
		if len(answer.Choices) > 0 {
			call.event.FinishReason = string(answer.Choices[0].FinishReason)
		}
	}
	call.end(err)
	return answer, err
}

// CreateChatCompletionStream is the library's method, published when the stream ends.
func (c *Client) CreateChatCompletionStream(ctx context.Context, request openai.ChatCompletionRequest) (*Stream, error) {
	call := c.begin(ctx, request)
	call.event.Streaming = new(true)
	stream, err := c.Client.CreateChatCompletionStream(ctx, request)
	if err != nil {
		call.end(err)
		return nil, err
	}
	return &Stream{ChatCompletionStream: stream, call: call}, nil
}

// call is one request that is under way. It belongs to the goroutine that makes it.
type call struct {
	emitter Emitter
	ctx     context.Context //nolint:containedctx // of the request, for its trace
	event   event.Event
	began   time.Time
	ended   bool
}

func (c *Client) begin(ctx context.Context, request openai.ChatCompletionRequest) *call {
	e := c.defaults
	e.TraceContext = maps.Clone(e.TraceContext) // With may write into it
	e.Kind = event.KindRequestCompleted
	e.RequestID = event.RequestID("req_" + rand.Text())
	e.Model = request.Model
	e.Input = content(request.Messages)
	if len(request.Tools) > 0 {
		e.Tools = content(request.Tools)
	}
	if set, ok := ctx.Value(withKey{}).(func(*event.Event)); ok {
		set(&e)
	}
	return &call{emitter: c.emitter, ctx: ctx, event: e, began: time.Now()}
}

// content returns v as the library sends it. What it cannot write it does not send either,
// and its error is the request's.
func content(v any) event.Content {
	b, err := json.Marshal(v)
	if err != nil {
		return event.Content{}
	}
	return event.JSON(b)
}

// answer puts an answer into the event.
func (c *call) answer(model string, answer any, usage *openai.Usage) {
	if model != "" {
		c.event.Model = model
	}
	c.event.Output = content(answer)
	if usage == nil || usage.TotalTokens == 0 && usage.PromptTokens == 0 && usage.CompletionTokens == 0 {
		return // some servers count nothing
	}
	c.event.InputTokens = new(int64(usage.PromptTokens))
	c.event.OutputTokens = new(int64(usage.CompletionTokens))
	c.event.TotalTokens = new(int64(usage.TotalTokens))
}

// end publishes the event, once. A request that its context ended is published all the same.
func (c *call) end(err error) {
	if c.ended {
		return
	}
	c.ended = true
	c.event.LatencyMS = new(c.elapsed())
	c.event.OccurredAt = time.Now()
	c.event.Status = "success"
	if err != nil {
		c.event.Status, c.event.ErrorType = "error", errorType(err)
	}
	ctx := c.ctx
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	_ = c.emitter.Emit(ctx, c.event) // the emitter counts what it does not take
}

// elapsed returns milliseconds since the request began.
func (c *call) elapsed() float64 { return float64(time.Since(c.began).Microseconds()) / 1000 }

// errorType returns a short class of an error, without its text, which may hold content.
func errorType(err error) string {
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return "timeout"
	}
	if api, ok := errors.AsType[*openai.APIError](err); ok {
		if code, ok := api.Code.(string); ok && code != "" {
			return code
		}
		if api.Type != "" {
			return api.Type
		}
		return fmt.Sprintf("http_%d", api.HTTPStatusCode)
	}
	if request, ok := errors.AsType[*openai.RequestError](err); ok && request.HTTPStatusCode != 0 {
		return fmt.Sprintf("http_%d", request.HTTPStatusCode)
	}
	return "connection"
}
