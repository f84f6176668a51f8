package datasets

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Status is what a person has decided about a case.
type Status string

// A new case is a candidate. A person confirms that it is a failure, or dismisses it
// because the evaluator was wrong; further occurrences do not change that.
const (
	StatusCandidate Status = "candidate"
	StatusConfirmed Status = "confirmed"
	StatusDismissed Status = "dismissed"
)

// Statuses returns all statuses, the one of new cases first.
func Statuses() []Status { return []Status{StatusCandidate, StatusConfirmed, StatusDismissed} }

// Case is a failure that has been seen once or more.
type Case struct {
	ID        string    `json:"id"`
	Evaluator string    `json:"evaluator"`
	Type      eval.Type `json:"type"`
	Reason    string    `json:"reason"`
	Label     string    `json:"label,omitempty"`
	// Cause is the id of the cause: of all cases with this evaluator, reason and prompt.
	Cause string `json:"cause"`
	// Feature is that of the first occurrence. A case has one prompt; one that an
	// earlier build has written may hold others too.
	Feature    string `json:"feature,omitempty"`
	PromptName string `json:"prompt_name,omitempty"`
	// FirstVersion and LastVersion are the prompt versions of the first and of the
	// latest occurrence. Versions are those of all occurrences, the latest first;
	// [Cases.List] leaves them out.
	FirstVersion string    `json:"first_version,omitempty"`
	LastVersion  string    `json:"last_version,omitempty"`
	Versions     []string  `json:"versions,omitempty"`
	Status       Status    `json:"status"`
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
	// Count is the number of occurrences. Exemplars are some of them: the first one
	// and the latest ones. [Cases.List] leaves them out.
	Count     int        `json:"count"`
	Exemplars []Exemplar `json:"exemplars,omitempty"`
	// Question is what the first exemplar's user said last; set by [Cases.Questions].
	Question string `json:"question,omitempty"`
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
	// TraceID and SpanID are 32 and 16 hexadecimal digits. The decimal forms are what
	// Datadog shows in logs: all of the span id, and the lower 64 bits of the trace id.
	// They are texts, because most readers of JSON round numbers of this size.
	TraceID        string `json:"trace_id,omitempty"`
	SpanID         string `json:"span_id,omitempty"`
	TraceIDDecimal string `json:"trace_id_decimal,omitempty"`
	SpanIDDecimal  string `json:"span_id_decimal,omitempty"`

	// ContentWithheld says that the content is missing: it could not be redacted, or the
	// event was published without it.
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
		x.TraceID, x.TraceIDDecimal = trace.String(), strconv.FormatUint(trace.Lo, 10)
	}
	if span != 0 {
		x.SpanID, x.SpanIDDecimal = hexSpan(uint64(span)), strconv.FormatUint(uint64(span), 10)
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

func hexSpan(span uint64) string { return fmt.Sprintf("%016x", span) }

// completeIDs brings the ids of an exemplar from before the decimal forms, when the span
// id was decimal, into the present form.
func (x *Exemplar) completeIDs() {
	if x.SpanID != "" && x.SpanIDDecimal == "" {
		if span, err := strconv.ParseUint(x.SpanID, 10, 64); err == nil {
			x.SpanID, x.SpanIDDecimal = hexSpan(span), x.SpanID
		}
	}
	if x.TraceID != "" && x.TraceIDDecimal == "" {
		if trace, ok := event.ParseTraceID(x.TraceID); ok {
			x.TraceIDDecimal = strconv.FormatUint(trace.Lo, 10)
		}
	}
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
