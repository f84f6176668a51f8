package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Redactor takes secrets and personal data out of what is printed.
type Redactor interface {
	// Names returns the event, or a copy without any in the names of its prompt, feature
	// and the like.
	Names(e *event.Event) *event.Event
	// Text returns a text without any.
	Text(s string) string
}

// Reports writes results as JSON, one object a line. It writes no content of an event.
// Judges' texts, which may repeat some, are redacted as they are for cases.
type Reports struct {
	out    *json.Encoder
	redact Redactor
}

// NewReports returns a writer of reports.
func NewReports(w io.Writer, r Redactor) *Reports {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	return &Reports{out, r}
}

// maxText bounds a judge's text in a report, in characters.
const maxText = 2000

// report is one line of the output.
type report struct {
	Line        int              `json:"line"`
	RequestID   event.RequestID  `json:"request_id,omitempty"`
	Disposition eval.Disposition `json:"disposition"`
	Reason      string           `json:"reason"`

	TraceID    string    `json:"trace_id,omitempty"` // 32 hexadecimal digits
	SpanID     string    `json:"span_id,omitempty"`  // 16 hexadecimal digits
	SessionID  string    `json:"session_id,omitempty"`
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	dims

	Verdicts []verdict `json:"verdicts"`
	Ignored  []string  `json:"ignored,omitempty"`
}

// dims are what a report can be grouped by, under the names of the event's fields.
type dims struct {
	Environment   string       `json:"environment,omitempty"`
	Feature       string       `json:"feature,omitempty"`
	PromptName    string       `json:"prompt_name,omitempty"`
	PromptVersion string       `json:"prompt_version,omitempty"`
	PromptVariant string       `json:"prompt_variant,omitempty"`
	Provider      string       `json:"provider,omitempty"`
	Model         string       `json:"model,omitempty"`
	Status        string       `json:"status,omitempty"`
	FinishReason  string       `json:"finish_reason,omitempty"`
	TenantTier    string       `json:"tenant_tier,omitempty"`
	UserRating    event.Rating `json:"user_rating,omitempty"`
	OutputSchema  string       `json:"output_schema,omitempty"`
}

type verdict struct {
	Eval        string       `json:"eval"`
	Type        eval.Type    `json:"type"`
	Outcome     eval.Outcome `json:"outcome"`
	Score       *float64     `json:"score"` // null unless decided and finite
	Label       string       `json:"label"`
	Reason      string       `json:"reason"`
	Version     string       `json:"version"`
	Probability float64      `json:"probability"`

	Rule        string      `json:"rule,omitempty"`
	Confidence  float64     `json:"confidence,omitempty"`
	Explanation string      `json:"explanation,omitempty"`
	Criteria    []criterion `json:"criteria,omitempty"`
	LatencyMS   float64     `json:"latency_ms"`
	Usage       *usage      `json:"usage,omitempty"`
}

type criterion struct {
	ID       string       `json:"id"`
	Outcome  eval.Outcome `json:"outcome"`
	Evidence string       `json:"evidence,omitempty"`
	Reason   string       `json:"reason,omitempty"`
}

// usage is what the model calls behind one verdict used.
type usage struct {
	Model        string   `json:"model"`
	Calls        int      `json:"calls"`
	InputTokens  int64    `json:"input_tokens"`
	CachedTokens int64    `json:"cached_tokens"` // part of input_tokens
	OutputTokens int64    `json:"output_tokens"`
	CostUSD      *float64 `json:"cost_usd"` // null when it is not known
	Format       string   `json:"format,omitempty"`
}

// Write writes one result.
func (w *Reports) Write(r *Result) error {
	out := report{Line: r.Number, Disposition: r.Disposition(), Reason: r.Reason(), Verdicts: []verdict{}}
	if r.Report != nil {
		w.describe(&out, r.Report)
	}
	return w.out.Encode(out)
}

// describe fills in what a report says of an event.
func (w *Reports) describe(out *report, r *eval.Report) {
	e := w.redact.Names(r.Event) // those of an event that nobody wants are not redacted yet
	out.RequestID, out.SessionID, out.OccurredAt, out.Ignored = e.RequestID, e.SessionID, e.OccurredAt, e.Ignored()
	trace, span := e.Origin()
	if !trace.IsZero() {
		out.TraceID = trace.String()
	}
	if span != 0 {
		out.SpanID = fmt.Sprintf("%016x", uint64(span))
	}
	out.dims = dims{
		Environment: e.Environment, Feature: e.Feature, PromptName: e.PromptName, PromptVersion: e.PromptVersion, PromptVariant: e.PromptVariant,
		Provider: e.Provider, Model: e.Model, Status: event.NormalStatus(e.Status), FinishReason: e.FinishReason, TenantTier: e.TenantTier,
		UserRating: event.NormalRating(e.UserRating), OutputSchema: e.OutputSchema,
	}
	for i := range r.Verdicts {
		out.Verdicts = append(out.Verdicts, w.verdict(&r.Verdicts[i]))
	}
}

func (w *Reports) verdict(v *eval.Verdict) verdict {
	out := verdict{
		Eval: v.Eval, Type: v.Type, Outcome: v.Outcome, Label: v.Label, Reason: v.Reason, Version: v.Version, Probability: v.Probability,
		Rule: v.Rule, Confidence: v.Confidence, Explanation: w.text(v.Explanation), LatencyMS: float64(v.Duration.Microseconds()) / 1000,
	}
	if v.Outcome.Decided() && !math.IsNaN(v.Score) && !math.IsInf(v.Score, 0) {
		out.Score = &v.Score
	}
	for _, c := range v.Criteria {
		out.Criteria = append(out.Criteria, criterion{c.ID, c.Outcome, w.text(c.Evidence), w.text(c.Reason)})
	}
	if u := v.Usage; u != nil {
		out.Usage = &usage{Model: u.Model, Calls: u.Calls, InputTokens: u.InputTokens, CachedTokens: u.CachedTokens, OutputTokens: u.OutputTokens, Format: u.Format}
		if u.CostKnown {
			cost := float64(u.CostNanoUSD) / 1e9
			out.Usage.CostUSD = &cost
		}
	}
	return out
}

// text returns a judge's text as it may be shown.
func (w *Reports) text(s string) string { return Beginning(w.redact.Text(s), maxText) }

// Beginning returns the first so many characters of a text.
func Beginning(text string, most int) string {
	for i := range text {
		if most--; most < 0 {
			return text[:i] + "..."
		}
	}
	return text
}
