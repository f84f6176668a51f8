package event

import "slices"

// tables say how events are read. A new field of [Event] is a row in
// one of them; the names, aliases and paths that other code sees follow from here.
type tables struct {
	event     object[Event]
	llmobs    object[LLMObs]
	retrieval object[Retrieval]
	chunk     object[Chunk]
	all       []fieldPath
	chunks    int // index in all of the list of passages
}

// fieldPath is a field's path, and what its values have to be.
type fieldPath struct{ name, want string }

var theTables = newTables()

func newTables() (all tables) {
	all.event = newObject("",
		identity("event", form[Event]{"a string", readKind}),
		identity("request_id", form[Event]{wantRequestID, readRequestID}),

		row("occurred_at", form[Event]{wantTime, readTime}, "timestamp"),
		row("session_id", text(func(e *Event) *string { return &e.SessionID })),
		row("tenant_id", text(func(e *Event) *string { return &e.TenantID })),
		row("tenant_tier", text(func(e *Event) *string { return &e.TenantTier })),
		row("user_id_hash", text(func(e *Event) *string { return &e.UserIDHash })),

		row("trace_context", form[Event]{wantContext, readTraceContext}),
		row("trace_id", traceField(wantTraceID, func(e *Event) *ID { return &e.TraceID })),
		row("span_id", traceField(wantSpanID, func(e *Event) *ID { return &e.SpanID })),
		row("llmobs", form[Event]{"an object", readLLMObs}),

		row("service", text(func(e *Event) *string { return &e.Service }), "dd.service"),
		row("environment", text(func(e *Event) *string { return &e.Environment }), "env", "dd.env"),
		row("version", text(func(e *Event) *string { return &e.Version }), "dd.version"),
		row("feature", text(func(e *Event) *string { return &e.Feature })),

		row("prompt_name", text(func(e *Event) *string { return &e.PromptName })),
		row("prompt_version", text(func(e *Event) *string { return &e.PromptVersion })),
		row("prompt_variant", text(func(e *Event) *string { return &e.PromptVariant })),
		row("prompt_environment", text(func(e *Event) *string { return &e.PromptEnvironment })),

		row("provider", text(func(e *Event) *string { return &e.Provider })),
		row("model", text(func(e *Event) *string { return &e.Model })),
		row("status", form[Event]{"success, error or an HTTP status", readStatus}),
		row("error_type", text(func(e *Event) *string { return &e.ErrorType })),
		row("finish_reason", text(func(e *Event) *string { return &e.FinishReason })),
		row("retry_count", integer(func(e *Event) **int64 { return &e.RetryCount })),
		row("cache_hit", boolean(func(e *Event) **bool { return &e.CacheHit })),
		row("streaming", boolean(func(e *Event) **bool { return &e.Streaming })),

		row("input_tokens", integer(func(e *Event) **int64 { return &e.InputTokens }), "prompt_tokens"),
		row("output_tokens", integer(func(e *Event) **int64 { return &e.OutputTokens }), "completion_tokens"),
		row("total_tokens", integer(func(e *Event) **int64 { return &e.TotalTokens })),
		row("estimated_cost_usd", number(func(e *Event) **float64 { return &e.EstimatedCostUSD }), "cost_usd"),
		row("llm_latency_ms", millis(func(e *Event) **float64 { return &e.LatencyMS }), "latency_ms"),
		row("first_token_latency_ms", millis(func(e *Event) **float64 { return &e.FirstTokenLatencyMS })),

		row("input", content(func(e *Event) *Content { return &e.Input }), "messages"),
		row("output", content(func(e *Event) *Content { return &e.Output }), "response", "completion"),
		row("output_schema", text(func(e *Event) *string { return &e.OutputSchema })),
		row("expected", content(func(e *Event) *Content { return &e.Expected })),

		row("retrieval", form[Event]{"an object", readRetrieval}),
		row("retrieval.chunks", form[Event]{wantChunks, readContexts}, "retrieved_contexts", "retrieval_context", "contexts", "retrieved_documents"),
		row("retrieval.chunks", form[Event]{wantChunks, readLikelyContexts}, "documents", "context"),
		row("tool_calls", form[Event]{"an array of calls", readToolCalls}),
		row("tools", content(func(e *Event) *Content { return &e.Tools })),

		row("user_rating", form[Event]{"up, down or a number", readRating}),
		row("user_rating_min", number(func(e *Event) **float64 { return &e.UserRatingMin })),
		row("user_rating_max", number(func(e *Event) **float64 { return &e.UserRatingMax })),
		row("task_completed", boolean(func(e *Event) **bool { return &e.TaskCompleted })),
		row("comment", text(func(e *Event) *string { return &e.Comment })),
		row("content_withheld", text(func(e *Event) *string { return &e.ContentWithheld })),
	)
	all.llmobs = newObject("llmobs.",
		row("trace_id", id(func(l *LLMObs) *ID { return &l.TraceID })),
		row("span_id", id(func(l *LLMObs) *ID { return &l.SpanID })),
		row("source", form[LLMObs]{wantLLMObsSource, readLLMObsSource}),
	)
	all.retrieval = newObject("retrieval.",
		row("index", text(func(r *Retrieval) *string { return &r.Index })),
		row("strategy", text(func(r *Retrieval) *string { return &r.Strategy })),
		row("query", text(func(r *Retrieval) *string { return &r.Query })),
		row("hit_count", integer(func(r *Retrieval) **int64 { return &r.HitCount })),
		row("top_score", number(func(r *Retrieval) **float64 { return &r.TopScore })),
		row("latency_ms", millis(func(r *Retrieval) **float64 { return &r.LatencyMS })),
		row("chunks", form[Retrieval]{wantChunks, readChunks},
			"documents", "retrieved_documents", "docs", "contexts", "retrieved_contexts", "context", "passages", "results", "hits", "matches", "nodes", "source_nodes", "retrievalResults"),
	)
	all.chunk = newObject("retrieval.chunks.",
		row("id", id(func(c *Chunk) *ID { return &c.ID }), "chunk_id", "doc_id", "document_id", "_id", "id_", "node_id", "file_id", "source"),
		row("text", form[Chunk]{"a string", readPassage}, "page_content", "pageContent", "content", "passage", "document", "body", "snippet", "chunk"),
		row("score", number(func(c *Chunk) **float64 { return &c.Score }), "_score", "similarity", "relevance", "relevance_score"),
		around("metadata"), around("node"), around("payload"), around("_source"),
	)
	all.event.elsewhere = readElsewhere
	all.name()
	return all
}

// named returns the index in all of the field with a path.
func (all *tables) named(path string) int {
	return slices.IndexFunc(all.all, func(f fieldPath) bool { return f.name == path })
}

// namesOf returns the names of the members of the object with a path.
func (all *tables) namesOf(prefix string) []string {
	switch prefix {
	case all.llmobs.prefix:
		return all.llmobs.names()
	case all.retrieval.prefix:
		return all.retrieval.names()
	case all.chunk.prefix:
		return all.chunk.names()
	}
	return all.event.names()
}

// name numbers the fields, and lists them.
func (all *tables) name() {
	listed := map[string]int{}
	nameIn(all, &all.event, listed)
	nameIn(all, &all.llmobs, listed)
	nameIn(all, &all.retrieval, listed)
	nameIn(all, &all.chunk, listed)
	all.chunks = listed["retrieval.chunks"]
	all.all = append(all.all, fieldPath{"usage", wantUsage})
}

func nameIn[T any](all *tables, o *object[T], listed map[string]int) {
	for i := range o.rows {
		f := &o.rows[i]
		if f.id < 0 {
			continue
		}
		path := o.prefix + f.name
		at, ok := listed[path]
		if !ok {
			at = len(all.all)
			listed[path] = at
			all.all = append(all.all, fieldPath{path, f.want})
		}
		f.id = at
	}
}

func row[T any](name string, f form[T], aliases ...string) tableRow[T] {
	return tableRow[T]{form: f, name: name, aliases: aliases}
}

// identity is the row of a field without which an event is none.
func identity(name string, f form[Event]) tableRow[Event] {
	return tableRow[Event]{form: f, name: name, vital: true}
}

// around is the row of an object in which stores put parts of a passage.
func around(name string) tableRow[Chunk] {
	return tableRow[Chunk]{form: form[Chunk]{"an object", readAround}, name: name, id: -1}
}
