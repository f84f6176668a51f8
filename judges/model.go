package judges

import (
	"context"
	"encoding/json"

	"github.com/evalworker/evalworker/eval"
)

// Formats of an answer, the strictest first.
const (
	FormatSchema = "json_schema"
	FormatObject = "json_object"
	FormatFenced = "fenced_json"
)

// Request is one question to a model.
type Request struct {
	Eval string // name of the judge that asks, for metrics

	System string          // role, rules, criteria and contract; the same for every event
	User   string          // one JSON object that holds the data
	Schema json.RawMessage // JSON Schema of the answer

	// Format is the rung of the answer format: json_schema, json_object or
	// fenced_json. Empty: the model's own choice.
	Format string

	// Again marks the second question about the same data, after an answer that
	// broke its contract.
	Again bool
}

// Answer is what a model said.
type Answer struct {
	Text string // the assistant's message: content
	// Usage is what the calls behind the answer used. It counts beside an error
	// too: an answer that was cut off has been paid for. Format is the rung on
	// which Text was given.
	Usage eval.Usage
}

// Model answers requests. It is safe for concurrent use. Its errors carry an
// [eval.Reason] and no content. It returns soon after ctx is done.
type Model interface {
	Complete(ctx context.Context, r Request) (Answer, error)
}

// ModelFunc is a function as a [Model].
type ModelFunc func(ctx context.Context, r Request) (Answer, error)

// Complete calls f.
func (f ModelFunc) Complete(ctx context.Context, r Request) (Answer, error) { return f(ctx, r) }

// Describer is a model that knows what it is, as that of [NewModel] does. A
// judge's version covers the fingerprint: a decorator that hides it makes two
// models look the same.
type Describer interface {
	Model
	Describe() Description
}

// DefaultMaxInputChars is how much of each field a model is shown that does not
// describe itself.
const DefaultMaxInputChars = 40_000

// Description is what a judge has to know of its model.
type Description struct {
	Fingerprint   string // changes when the same question could get another answer
	MaxInputChars int    // longest field of content that the model is shown
}

// AddUsage returns what two calls used together. The newer call, b, names model
// and format.
func AddUsage(a, b eval.Usage) eval.Usage {
	if a.Calls == 0 {
		return b
	}
	if b.Calls == 0 {
		return a
	}
	b.Calls += a.Calls
	b.InputTokens += a.InputTokens
	b.CachedTokens += a.CachedTokens
	b.OutputTokens += a.OutputTokens
	b.CostNanoUSD += a.CostNanoUSD
	b.CostKnown = a.CostKnown && b.CostKnown
	return b
}
