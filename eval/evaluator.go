package eval

import (
	"context"
	"github.com/evalworker/evalworker/event"
)

// Evaluator gives verdicts on events.
//
// Evaluate answers one event. The verdict's outcome may be anything but an
// error: whoever cannot come to a verdict returns an error, made with
// [WithReason] so that it can be counted. An event that lacks what the
// evaluator needs is no error but [OutcomeNotApplicable], with the missing
// field in Reason. Evaluate returns soon after ctx is done.
//
// All methods are safe for concurrent use. Evaluate never changes the event,
// and keeps no part of it after it has returned. Name and Type never change;
// Version changes exactly when the same event could get another verdict.
type Evaluator interface {
	Name() string
	Type() Type
	Version() string
	Evaluate(ctx context.Context, e *event.Event) (Verdict, error)
}

// NotApplicable is the verdict of an evaluator that lacks a field of the event.
// Name the field as the event's JSON does: "output", "retrieval.chunks".
func NotApplicable(field string) Verdict {
	return Verdict{Outcome: OutcomeNotApplicable, Reason: "missing " + field}
}
