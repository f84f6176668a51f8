package datasets

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/store"
)

// lacksRequest reports whether a report is about feedback that does not name its prompt
// or does not say what was asked. The store may know: it keeps requests that failed an
// evaluator.
func lacksRequest(r *eval.Report, redacted *event.Event) bool {
	return r.Event.Kind == event.KindUserFeedback && redacted != nil &&
		(redacted.Input.IsZero() || r.Event.PromptName == "" || r.Event.PromptVersion == "")
}

// explain explains a verdict: in the judge's words, or that feedback lacks its question.
func explain(r *eval.Report, v *eval.Verdict, redacted *event.Event, redactText func(string) string) string {
	if v.Type == eval.TypeUserFeedback && redacted.Input.IsZero() {
		return fmt.Sprintf("feedback on request %s, whose question is not known here", r.Event.RequestID)
	}
	return redactText(v.Explanation)
}

// completed returns the records of a report about feedback, with what the store knows of
// its request.
func (k *Keeper) completed(ctx context.Context, tx *store.Tx, a *addition) ([]record, error) {
	known, err := requestOf(ctx, tx, a.report.Event.RequestID)
	if known == nil || err != nil {
		return a.records, err
	}
	r := *a.report
	r.Event = r.Event.About(known)
	return k.records(&r, a.redacted.About(known))
}

// requestOf returns what the store knows of a request, with redacted content; nil when it
// knows nothing. Of a request whose exemplar was dropped it knows version and feature.
func requestOf(ctx context.Context, tx *store.Tx, id event.RequestID) (*event.Event, error) {
	scan := func(row store.Row) (*event.Event, error) {
		var version, feature string
		var body *string
		if err := row.Scan(&version, &feature, &body); err != nil {
			return nil, err
		}
		if body == nil {
			return &event.Event{PromptVersion: version, Feature: feature}, nil
		}
		var x Exemplar
		err := json.Unmarshal([]byte(*body), &x)
		x.completeIDs()
		return x.event(), err
	}
	found, err := store.Query(ctx, tx, scan, `
		SELECT o.prompt_version, o.feature, x.body
		FROM occurrences o LEFT JOIN exemplars x ON x.case_id = o.case_id AND x.request_id = o.request_id
		WHERE o.request_id = $1 AND o.evaluator <> $2
		ORDER BY x.body IS NULL, o.evaluator LIMIT 1`, indexKey(string(id)), eval.FeedbackEvaluator)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// event returns the request of an exemplar.
func (x *Exemplar) event() *event.Event {
	e := &event.Event{
		Environment: x.Environment, Feature: x.Feature, PromptName: x.PromptName, PromptVersion: x.PromptVersion,
		Provider: x.Provider, Model: x.Model, TraceID: event.ID(x.TraceID), SpanID: hexID(x.SpanID),
		Input: event.JSON(x.Input), Output: event.JSON(x.Output), Expected: event.JSON(x.Expected), OutputSchema: x.OutputSchema,
		ToolCalls: x.ToolCalls, Tools: event.JSON(x.Tools),
	}
	if x.Query != "" || len(x.Chunks) > 0 {
		e.Retrieval = &event.Retrieval{Query: x.Query, Chunks: x.Chunks}
	}
	return e
}

// hexID returns an id that is read as hexadecimal whatever its digits are.
func hexID(s string) event.ID {
	if s == "" {
		return ""
	}
	return event.ID("0x" + s)
}
