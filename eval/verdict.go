package eval

import "time"

// Type is a kind of evaluator.
type Type string

// The types of evaluator.
const (
	TypeJSONSchema   Type = "json_schema"
	TypeRule         Type = "rule"
	TypeLLMJudge     Type = "llm_judge"
	TypeUserFeedback Type = "user_feedback"
)

// Verdict is one evaluator's answer for one event.
type Verdict struct {
	// Eval is the evaluator's name; Type its kind; Version changes whenever the
	// same answer could be judged differently.
	Eval    string `json:"eval"`
	Type    Type   `json:"type"`
	Version string `json:"version,omitempty"`

	Outcome Outcome `json:"outcome"`
	// Score is in [0,1] and has a meaning only when Outcome is decided.
	Score float64 `json:"score"`
	// Label is a short class out of a small set that the evaluator fixes, such as
	// "invalid_json" or "wrapped". It may become a tag.
	Label string `json:"label,omitempty"`
	// Reason says why, in bounded length and without content: the place or
	// criterion of a fail, the missing field of a not_applicable, or one of the
	// [Reason] constants for an error.
	Reason string `json:"reason,omitempty"`
	// Schema names the JSON Schema that the output was checked with; empty for
	// evaluators that check none.
	Schema string `json:"-"`
	// Explanation is a judge's own prose. It may repeat content, so it goes only to
	// the case, after redaction.
	Explanation string `json:"-"`
	// Criteria holds a judge's answers one by one, in the rubric's order.
	Criteria []Criterion `json:"criteria,omitempty"`
	// Confidence is in [0,1]; 0 when the evaluator does not say.
	Confidence float64 `json:"confidence,omitempty"`

	// Measures are numbers that the evaluator found along the way, by the names of
	// the Measure constants.
	Measures map[string]float64 `json:"-"`
	// Usage is what the model calls cost; nil for an evaluator without a model.
	Usage *Usage `json:"usage,omitempty"`

	// Probability with which the event was chosen for this evaluator, in (0,1],
	// upstream sampling included; Rule names the sampling rule that set it. The
	// pipeline fills both in, with Started and Duration.
	Probability float64       `json:"probability"`
	Rule        string        `json:"rule,omitempty"`
	Started     time.Time     `json:"-"`
	Duration    time.Duration `json:"-"`
}

// Criterion is a judge's answer on one criterion of its rubric.
type Criterion struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome"`
	// Evidence and Reason are the model's words: content, like Verdict.Explanation.
	Evidence string `json:"-"`
	Reason   string `json:"-"`
}

// Usage is what the model calls behind one verdict used.
type Usage struct {
	Model        string `json:"model"`
	Calls        int    `json:"calls"`
	InputTokens  int64  `json:"input_tokens"`
	CachedTokens int64  `json:"cached_tokens,omitempty"`
	OutputTokens int64  `json:"output_tokens"`
	// CostNanoUSD is the cost in billionths of a US dollar. It counts only when
	// CostKnown: an unknown model has an unknown cost, not a cost of zero.
	CostNanoUSD int64 `json:"cost_nano_usd,omitempty"`
	CostKnown   bool  `json:"cost_known"`
	// Format is the rung of the answer-format ladder that the model accepted:
	// json_schema, json_object or fenced_json.
	Format string `json:"format,omitempty"`
}

// Names of measures in [Verdict.Measures].
const (
	// MeasureJSONWrapped is 1 when valid JSON was found inside prose or a code fence.
	MeasureJSONWrapped = "json_wrapped"
	// MeasureJSONValid is 1 when the output, as it stands, is valid JSON, else 0.
	MeasureJSONValid = "json_valid"
)
