package datasets

import (
	"encoding/json"
	"math"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Status is the stage of a case's life.
type Status string

// The life of a case: seen by an evaluator, confirmed by a person, flaky or
// fixed, retired.
const (
	StatusCandidate Status = "candidate"
	StatusConfirmed Status = "confirmed"
	StatusFlaky     Status = "flaky"
	StatusFixed     Status = "fixed"
	StatusRetired   Status = "retired"
)

// Statuses returns all statuses in the order of a case's life.
func Statuses() []Status {
	return []Status{StatusCandidate, StatusConfirmed, StatusFlaky, StatusFixed, StatusRetired}
}

// Case is a failure that has been seen once or more.
type Case struct {
	ID        string    `json:"id"`
	Evaluator string    `json:"evaluator"`
	Type      eval.Type `json:"type"`
	Reason    string    `json:"reason"`
	Label     string    `json:"label,omitempty"`
	// Feature and PromptName are from the first occurrence.
	Feature    string `json:"feature,omitempty"`
	PromptName string `json:"prompt_name,omitempty"`
	// FirstVersion and LastVersion are the prompt versions of the first and of the
	// latest occurrence.
	FirstVersion string    `json:"first_version,omitempty"`
	LastVersion  string    `json:"last_version,omitempty"`
	Status       Status    `json:"status"`
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
	// Count is the number of occurrences. Exemplars are some of them: the first one
	// and the latest ones. [Cases.List] leaves them out.
	Count     int        `json:"count"`
	Exemplars []Exemplar `json:"exemplars,omitempty"`
}

// Exemplar is one request of a case, redacted.
type Exemplar struct {
	RequestID     event.RequestID `json:"request_id"`
	OccurredAt    time.Time       `json:"occurred_at"`
	Environment   string          `json:"environment,omitempty"`
	Feature       string          `json:"feature"`     // not omitted when empty: a row without the
	PromptName    string          `json:"prompt_name"` // key is old and has the case's value
	PromptVersion string          `json:"prompt_version,omitempty"`
	Provider      string          `json:"provider,omitempty"`
	Model         string          `json:"model,omitempty"`
	TraceID       string          `json:"trace_id,omitempty"` // 32 hexadecimal digits
	SpanID        string          `json:"span_id,omitempty"`  // decimal

	// ContentWithheld says that the content could not be redacted and is missing.
	ContentWithheld bool             `json:"content_withheld,omitempty"`
	Input           json.RawMessage  `json:"input,omitempty"`
	Output          json.RawMessage  `json:"output,omitempty"`
	Expected        json.RawMessage  `json:"expected,omitempty"`
	OutputSchema    string           `json:"output_schema,omitempty"`
	Query           string           `json:"query,omitempty"` // of the retrieval
	Chunks          []event.Chunk    `json:"chunks,omitempty"`
	ToolCalls       []event.ToolCall `json:"tool_calls,omitempty"`
	Tools           json.RawMessage  `json:"tools,omitempty"`
	UserRating      event.Rating     `json:"user_rating,omitempty"`
	UserRatingMin   *float64         `json:"user_rating_min,omitempty"`
	UserRatingMax   *float64         `json:"user_rating_max,omitempty"`
	Comment         string           `json:"comment,omitempty"`

	Failure Failure `json:"verdict"`
}

// Failure says why an exemplar failed.
type Failure struct {
	Outcome     eval.Outcome      `json:"outcome"`
	Score       float64           `json:"score"`
	Reason      string            `json:"reason"`
	Label       string            `json:"label,omitempty"`
	Version     string            `json:"version"`
	Explanation string            `json:"explanation,omitempty"` // redacted
	Criteria    []CriterionResult `json:"criteria,omitempty"`
	// Policy, Rule and Probability say how the event came to be evaluated.
	Policy      string  `json:"policy"`
	Rule        string  `json:"rule,omitempty"`
	Probability float64 `json:"probability"`
}

// CriterionResult is a judge's answer on one criterion, with its texts redacted.
type CriterionResult struct {
	ID       string       `json:"id"`
	Outcome  eval.Outcome `json:"outcome"`
	Evidence string       `json:"evidence,omitempty"`
	Reason   string       `json:"reason,omitempty"`
}

// newExemplar returns the exemplar of a report's verdict. redacted is nil when the
// content has to be withheld; then the judge's texts are withheld too.
func newExemplar(r *eval.Report, v *eval.Verdict, redacted *event.Event, redactText func(string) string) Exemplar {
	trace, span := r.Event.Origin()
	x := Exemplar{
		RequestID: r.Event.RequestID, OccurredAt: occurredAt(r), Environment: r.Event.Environment,
		Feature: r.Event.Feature, PromptName: r.Event.PromptName, PromptVersion: r.Event.PromptVersion,
		Provider: r.Event.Provider, Model: r.Event.Model, OutputSchema: r.Event.OutputSchema, UserRating: r.Event.UserRating,
		UserRatingMin: r.Event.UserRatingMin, UserRatingMax: r.Event.UserRatingMax,
		Failure: Failure{
			Outcome: v.Outcome, Score: finite(v.Score), Reason: v.Reason, Label: v.Label, Version: v.Version,
			Policy: r.Plan.Revision, Rule: v.Rule, Probability: finite(v.Probability),
		},
	}
	if !trace.IsZero() {
		x.TraceID = trace.String()
	}
	if span != 0 {
		x.SpanID = span.String()
	}
	for _, c := range v.Criteria {
		x.Failure.Criteria = append(x.Failure.Criteria, CriterionResult{ID: c.ID, Outcome: c.Outcome})
	}
	if redacted == nil {
		x.ContentWithheld = true
		return x
	}
	x.Input, x.Output, x.Expected = redacted.Input.Raw(), redacted.Output.Raw(), redacted.Expected.Raw()
	x.ToolCalls, x.Tools, x.Comment = redacted.ToolCalls, redacted.Tools.Raw(), redacted.Comment
	if redacted.Retrieval != nil {
		x.Query, x.Chunks = redacted.Retrieval.Query, redacted.Retrieval.Chunks
	}
	x.Failure.Explanation = explain(r, v, redacted, redactText)
	for i, c := range v.Criteria {
		x.Failure.Criteria[i].Evidence, x.Failure.Criteria[i].Reason = redactText(c.Evidence), redactText(c.Reason)
	}
	return x
}

// finite returns 0 for NaN and infinities, which JSON cannot hold. A retry would
// not change an evaluator's score, so the case is kept without it.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// occurredAt returns when a failure happened: when the request finished, if the event
// has a plausible time. A time after the start of the evaluation is not plausible:
// the exemplar would always be the latest, and never be pruned.
func occurredAt(r *eval.Report) time.Time {
	began := r.Started
	if began.IsZero() {
		began = time.Now()
	}
	if at := r.Event.OccurredAt; at.Unix() > 0 && at.Before(began) {
		return at.UTC()
	}
	return began.UTC()
}
