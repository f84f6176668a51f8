package event

import (
	"time"
)

// Kind is the value of an event's "event" field.
type Kind string

// The kinds of event.
const (
	KindRequestCompleted Kind = "llm_request_completed"
	KindUserFeedback     Kind = "llm_user_feedback"
)

// Event is one finished request to a model, or a user's feedback on one. Its
// JSON form is flat and uses the field names that teams already log; only
// "event" and "request_id" are required. A field that is absent is never an
// error: an evaluator that lacks it answers "not applicable".
//
// A measure is a pointer because zero and unknown are different facts.
type Event struct {
	Kind      Kind      `json:"event" doc:"kind of event"`
	RequestID RequestID `json:"request_id" doc:"unique id of the request; the idempotency key"`

	OccurredAt time.Time `json:"occurred_at,omitzero" doc:"when the request finished: RFC 3339 with its zone, or seconds, milliseconds, microseconds or nanoseconds since 1970"`
	SessionID  string    `json:"session_id,omitempty" doc:"conversation or session"`
	TenantID   string    `json:"tenant_id,omitempty" doc:"customer"`
	TenantTier string    `json:"tenant_tier,omitempty" doc:"customer's plan, for example free or enterprise"`
	UserIDHash string    `json:"user_id_hash,omitempty" doc:"one-way hash of the user's id"`

	TraceContext TraceContext `json:"trace_context,omitempty" doc:"propagation headers of the original span, verbatim: traceparent, tracestate, x-datadog-*, b3"`
	TraceID      ID           `json:"trace_id,omitempty" doc:"original trace: 32 or 16 hexadecimal digits, a UUID, or a decimal number; trace_context is better"`
	SpanID       ID           `json:"span_id,omitempty" doc:"original span: 16 hexadecimal digits, or a decimal number"`
	LLMObs       *LLMObs      `json:"llmobs,omitempty" doc:"ids in Datadog LLM Observability"`

	Service     string `json:"service,omitempty" doc:"service that made the request"`
	Environment string `json:"environment,omitempty" doc:"deployment environment, for example prod"`
	Version     string `json:"version,omitempty" doc:"version of the service"`
	Feature     string `json:"feature,omitempty" doc:"product feature, for example support_agent"`

	PromptName        string `json:"prompt_name,omitempty" doc:"name of the prompt"`
	PromptVersion     string `json:"prompt_version,omitempty" doc:"released version of the prompt"`
	PromptVariant     string `json:"prompt_variant,omitempty" doc:"arm of an experiment"`
	PromptEnvironment string `json:"prompt_environment,omitempty" doc:"label in the prompt registry, for example production"`

	Provider     string `json:"provider,omitempty" doc:"model provider, for example openai"`
	Model        string `json:"model,omitempty" doc:"model that answered"`
	Status       string `json:"status,omitempty" doc:"success or error"`
	ErrorType    string `json:"error_type,omitempty" doc:"class of the provider's error"`
	FinishReason string `json:"finish_reason,omitempty" doc:"why the model stopped, for example stop or length"`
	RetryCount   *int64 `json:"retry_count,omitempty" doc:"attempts after the first"`
	CacheHit     *bool  `json:"cache_hit,omitempty" doc:"whether the answer came from a cache"`
	Streaming    *bool  `json:"streaming,omitempty" doc:"whether the answer was streamed"`

	InputTokens         *int64   `json:"input_tokens,omitempty" doc:"tokens of the prompt"`
	OutputTokens        *int64   `json:"output_tokens,omitempty" doc:"tokens of the answer"`
	TotalTokens         *int64   `json:"total_tokens,omitempty" doc:"tokens in all"`
	EstimatedCostUSD    *float64 `json:"estimated_cost_usd,omitempty" doc:"estimated cost in US dollars"`
	LatencyMS           *float64 `json:"llm_latency_ms,omitempty" doc:"time to the whole answer, milliseconds"`
	FirstTokenLatencyMS *float64 `json:"first_token_latency_ms,omitempty" doc:"time to the first token, milliseconds"`

	Input        Content `json:"input,omitzero" doc:"what was asked: a string, chat messages in any provider's form, or the request's body"`
	Output       Content `json:"output,omitzero" doc:"what was answered: a string, a JSON value, or a message, its parts or the whole response as the provider's library gives them"`
	OutputSchema string  `json:"output_schema,omitempty" doc:"name of the JSON Schema that the output must satisfy"`
	Expected     Content `json:"expected,omitzero" doc:"reference answer, when one is known"`

	Retrieval *Retrieval `json:"retrieval,omitempty" doc:"what was retrieved for the request"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty" doc:"tools that the model called, in this form or in a provider's own"`
	Tools     Content    `json:"tools,omitzero" doc:"tools that the model was offered, with their JSON Schemas"`

	UserRating    Rating   `json:"user_rating,omitempty" doc:"user's rating: up, down and words like them, or a number, which needs user_rating_max"`
	UserRatingMin *float64 `json:"user_rating_min,omitempty" doc:"least rating that is possible; without one 1, or 0 when user_rating_max is 1 or less"`
	UserRatingMax *float64 `json:"user_rating_max,omitempty" doc:"greatest rating that is possible, for example 5"`
	TaskCompleted *bool    `json:"task_completed,omitempty" doc:"whether the user's task was done"`
	Comment       string   `json:"comment,omitempty" doc:"user's words (feedback events)"`

	ContentWithheld string `json:"content_withheld,omitempty" doc:"why the event was published without its content: too_large, or not_redacted"`

	ignored fieldSet  // fields that Decode left out
	faulty  *faultyID // of the ids that Decode and Join left out
}

// LLMObs says under which ids Datadog LLM Observability knows the request.
type LLMObs struct {
	TraceID ID     `json:"trace_id,omitempty" doc:"LLM Observability trace id; not the trace id of the request's span in APM"`
	SpanID  ID     `json:"span_id,omitempty" doc:"LLM Observability span id"`
	Source  string `json:"source,omitempty" doc:"what made the span: sdk, Datadog's LLM Observability library (the default), or otel, OpenTelemetry: then trace_id and span_id of the event are its ids, unless they stand here"`
}

// The values of [LLMObs.Source].
const (
	LLMObsSDK  = "sdk"
	LLMObsOTel = "otel"
)

// Retrieval is what a retrieval-augmented request looked up.
type Retrieval struct {
	Index     string   `json:"index,omitempty" doc:"index that was searched"`
	Strategy  string   `json:"strategy,omitempty" doc:"search strategy, for example hybrid"`
	Query     string   `json:"query,omitempty" doc:"query that was run"`
	HitCount  *int64   `json:"hit_count,omitempty" doc:"number of hits"`
	TopScore  *float64 `json:"top_score,omitempty" doc:"score of the best hit"`
	LatencyMS *float64 `json:"latency_ms,omitempty" doc:"time of the search, milliseconds"`
	Chunks    []Chunk  `json:"chunks,omitempty" doc:"retrieved passages in rank order"`
}

// Chunk is one retrieved passage.
type Chunk struct {
	ID    ID       `json:"id,omitempty" doc:"id by which an answer cites the passage"`
	Text  string   `json:"text,omitempty" doc:"passage"`
	Score *float64 `json:"score,omitempty" doc:"relevance as the index scored it"`
}

// TraceContext holds propagation headers by name, in any case.
type TraceContext map[string]string
