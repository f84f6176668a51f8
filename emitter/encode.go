package emitter

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// appendEvent appends the event's JSON. It writes what json.Marshal does, in about a
// third of the time: without reflection, and without reading content again, which is
// JSON already. A number that JSON does not have (NaN) and a year above 9999 are left
// out, because one bad measure must not cost the event.
func appendEvent(b []byte, e *event.Event) []byte {
	b = append(b, '{')
	b = appendText(b, "event", string(e.Kind))
	b = appendText(b, "request_id", string(e.RequestID))
	if !e.OccurredAt.IsZero() {
		if text, err := e.OccurredAt.AppendText(append(appendName(b, "occurred_at"), '"')); err == nil {
			b = append(text, '"')
		}
	}
	b = appendText(b, "session_id", e.SessionID)
	b = appendText(b, "tenant_id", e.TenantID)
	b = appendText(b, "tenant_tier", e.TenantTier)
	b = appendText(b, "user_id_hash", e.UserIDHash)
	b = appendTraceContext(b, e.TraceContext)
	b = appendText(b, "trace_id", string(e.TraceID))
	b = appendText(b, "span_id", string(e.SpanID))
	if o := e.LLMObs; o != nil {
		b = append(appendName(b, "llmobs"), '{')
		b = appendText(b, "trace_id", string(o.TraceID))
		b = appendText(b, "span_id", string(o.SpanID))
		b = appendText(b, "source", o.Source)
		b = append(b, '}')
	}
	b = appendText(b, "service", e.Service)
	b = appendText(b, "environment", e.Environment)
	b = appendText(b, "version", e.Version)
	b = appendText(b, "feature", e.Feature)
	b = appendText(b, "prompt_name", e.PromptName)
	b = appendText(b, "prompt_version", e.PromptVersion)
	b = appendText(b, "prompt_variant", e.PromptVariant)
	b = appendText(b, "prompt_environment", e.PromptEnvironment)
	b = appendText(b, "provider", e.Provider)
	b = appendText(b, "model", e.Model)
	b = appendText(b, "status", e.Status)
	b = appendText(b, "error_type", e.ErrorType)
	b = appendText(b, "finish_reason", e.FinishReason)
	b = appendInt(b, "retry_count", e.RetryCount)
	b = appendBool(b, "cache_hit", e.CacheHit)
	b = appendBool(b, "streaming", e.Streaming)
	b = appendInt(b, "input_tokens", e.InputTokens)
	b = appendInt(b, "output_tokens", e.OutputTokens)
	b = appendInt(b, "total_tokens", e.TotalTokens)
	b = appendFloat(b, "estimated_cost_usd", e.EstimatedCostUSD)
	b = appendFloat(b, "llm_latency_ms", e.LatencyMS)
	b = appendFloat(b, "first_token_latency_ms", e.FirstTokenLatencyMS)
	b = appendContent(b, "input", e.Input)
	b = appendContent(b, "output", e.Output)
	b = appendText(b, "output_schema", e.OutputSchema)
	b = appendContent(b, "expected", e.Expected)
	if e.Retrieval != nil {
		b = appendRetrieval(appendName(b, "retrieval"), e.Retrieval)
	}
	if len(e.ToolCalls) > 0 {
		b = appendCalls(appendName(b, "tool_calls"), e.ToolCalls)
	}
	b = appendContent(b, "tools", e.Tools)
	b = appendText(b, "user_rating", string(e.UserRating))
	b = appendFloat(b, "user_rating_min", e.UserRatingMin)
	b = appendFloat(b, "user_rating_max", e.UserRatingMax)
	b = appendBool(b, "task_completed", e.TaskCompleted)
	b = appendText(b, "comment", e.Comment)
	b = appendText(b, "content_withheld", e.ContentWithheld)
	return append(b, '}')
}

func appendRetrieval(b []byte, r *event.Retrieval) []byte {
	b = append(b, '{')
	b = appendText(b, "index", r.Index)
	b = appendText(b, "strategy", r.Strategy)
	b = appendText(b, "query", r.Query)
	b = appendInt(b, "hit_count", r.HitCount)
	b = appendFloat(b, "top_score", r.TopScore)
	b = appendFloat(b, "latency_ms", r.LatencyMS)
	if len(r.Chunks) > 0 {
		b = append(appendName(b, "chunks"), '[')
		for i := range r.Chunks {
			c := &r.Chunks[i]
			b = append(appendComma(b), '{')
			b = appendText(b, "id", string(c.ID))
			b = appendText(b, "text", c.Text)
			b = appendFloat(b, "score", c.Score)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

func appendCalls(b []byte, calls []event.ToolCall) []byte {
	b = append(b, '[')
	for i := range calls {
		c := &calls[i]
		b = append(appendComma(b), '{')
		b = appendText(b, "name", c.Name)
		b = appendText(b, "type", string(c.Type))
		b = appendContent(b, "arguments", c.Arguments)
		b = appendText(b, "status", c.Status)
		b = appendFloat(b, "latency_ms", c.LatencyMS)
		b = appendInt(b, "retry_count", c.RetryCount)
		b = appendContent(b, "result", c.Result)
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendTraceContext(b []byte, headers event.TraceContext) []byte {
	if len(headers) == 0 {
		return b
	}
	names := make([]string, 0, 8)
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(appendName(b, "trace_context"), '{')
	for _, name := range names {
		b = append(jsonscan.AppendQuoted(appendComma(b), name), ':')
		b = jsonscan.AppendQuoted(b, headers[name])
	}
	return append(b, '}')
}

// appendComma appends a comma, unless the value is the first of its list or object.
func appendComma(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == '[' {
		return b
	}
	return append(b, ',')
}

// appendName appends a member's name, which needs no escapes.
func appendName(b []byte, name string) []byte {
	b = append(appendComma(b), '"')
	return append(append(b, name...), '"', ':')
}

func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return jsonscan.AppendQuoted(appendName(b, name), value)
}

func appendInt(b []byte, name string, n *int64) []byte {
	if n == nil {
		return b
	}
	return strconv.AppendInt(appendName(b, name), *n, 10)
}

func appendBool(b []byte, name string, v *bool) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendBool(appendName(b, name), *v)
}

func appendFloat(b []byte, name string, f *float64) []byte {
	if f == nil || math.IsNaN(*f) || math.IsInf(*f, 0) {
		return b
	}
	format := byte('f')
	if size := math.Abs(*f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(appendName(b, name), *f, format, -1, 64)
}

func appendContent(b []byte, name string, c event.Content) []byte {
	raw := c.Raw()
	if len(raw) == 0 {
		return b
	}
	b = appendName(b, name)
	if !utf8.Valid(raw) {
		return append(b, validUTF8(raw)...)
	}
	return append(b, raw...)
}
