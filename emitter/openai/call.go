package openai

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/event"
)

// call is one request that is under way. It belongs to the goroutine that makes it, or to
// its stream.
type call struct {
	emitter Emitter
	ctx     context.Context //nolint:containedctx // of the request, for its trace
	event   event.Event
	began   time.Time
	written atomic.Int64 // attempts that were sent
	ended   bool
}

// begin starts a request. The context that it returns counts the attempts, in case the
// application's HTTP client tries again.
func (c *Client) begin(ctx context.Context, request *openai.ChatCompletionRequest) (context.Context, *call) {
	r := &call{emitter: c.emitter, ctx: ctx, began: time.Now()}
	func() {
		defer survive()
		e := &r.event
		e.RequestID = event.RequestID("req_" + rand.Text())
		e.Model = request.Model
		e.Input = content(request.Messages)
		if len(request.Tools) > 0 {
			e.Tools = content(request.Tools)
		}
		c.fill(ctx, e)
		e.Kind = event.KindRequestCompleted
		scopeOf(ctx).begun(e.RequestID)
	}()
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				r.written.Add(1)
			}
		},
	}), r
}

// answer puts an answer into the event: as a whole, and what the event has fields for.
func (r *call) answer(answer any) {
	defer survive()
	r.event.Output = content(answer)
	var known struct {
		Model   string
		Choices []struct {
			FinishReason string `json:"finish_reason"`
		}
		Usage openai.Usage
	}
	if json.Unmarshal(r.event.Output.Raw(), &known) != nil {
		return
	}
	if known.Model != "" {
		r.event.Model = known.Model
	}
	if len(known.Choices) > 0 {
		r.event.FinishReason = known.Choices[0].FinishReason
	}
	if u := &known.Usage; u.TotalTokens != 0 || u.PromptTokens != 0 || u.CompletionTokens != 0 { // some servers count nothing
		r.event.InputTokens = pointer(int64(u.PromptTokens))
		r.event.OutputTokens = pointer(int64(u.CompletionTokens))
		r.event.TotalTokens = pointer(int64(u.TotalTokens))
	}
}

// patience is how long a request whose context has ended waits for room in an emitter that
// blocks.
const patience = 100 * time.Millisecond

// end publishes the event, once. A request that its context ended is published all the same.
func (r *call) end(err error) {
	ctx := r.ctx
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
	}
	r.endAt(ctx, time.Now(), err)
}

// endAt is end for a time, with the emitter's context.
func (r *call) endAt(ctx context.Context, at time.Time, err error) {
	if r.ended || r.emitter == nil {
		return
	}
	r.ended = true
	defer survive()
	e := &r.event
	e.LatencyMS = pointer(r.since(at))
	e.OccurredAt = at
	if n := r.written.Load(); n > 0 {
		e.RetryCount = pointer(n - 1)
	}
	e.Status = "success"
	if err != nil {
		e.Status, e.ErrorType = "error", errorType(err)
	}
	_ = r.emitter.Emit(ctx, *e) // the emitter counts what it does not take
}

// since returns milliseconds since the request began.
func (r *call) since(at time.Time) float64 { return float64(at.Sub(r.began).Microseconds()) / 1000 }
