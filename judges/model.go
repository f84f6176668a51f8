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

	// Format is one of the formats above; empty: the model chooses.
	Format string

	// Again marks the second question about the same data, after an answer that
	// broke its contract.
	Again bool
}

// Answer is a model's answer.
type Answer struct {
	Text string // content of the assistant's message
	// Usage is what the calls behind the answer used. It counts with an error too: an
	// answer that was cut off has been paid for. Its Format is the format of Text.
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

// Describer is a model that describes itself. A judge's version covers the
// fingerprint; a decorator that hides this method makes two models look the same.
type Describer interface {
	Model
	Describe() Description
}

// Description holds the facts about a model that a judge needs.
type Description struct {
	Fingerprint   string // changes when the same question could get another answer
	MaxInputChars int    // bound of each field of content in a prompt
}

// DefaultMaxInputChars is the bound for a model that does not describe itself.
const DefaultMaxInputChars = 40_000

// AddUsage returns the sum of two usages. Model and format are those of b, the
// newer call.
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
