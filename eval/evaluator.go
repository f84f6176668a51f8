package eval

import (
	"context"

	"github.com/evalworker/evalworker/event"
)

// Evaluator returns verdicts on events.
//
// Evaluate returns the verdict on one event, with any outcome except OutcomeError.
// If it cannot reach a verdict it returns an error, made with [WithReason] so that
// it can be counted. For an event that lacks what the evaluator needs it returns
// [OutcomeNotApplicable] with the missing field in Reason, not an error. Evaluate
// returns soon after ctx is done.
//
// All methods are safe for concurrent use. Evaluate never changes the event and
// keeps no part of it after it has returned. Name and Type never change; Version
// changes exactly when the same event could get another verdict.
type Evaluator interface {
	Name() string
	Type() Type
	Version() string
	Evaluate(ctx context.Context, e *event.Event) (Verdict, error)
}

// NotApplicable returns the verdict of an evaluator that lacks a field of the event,
// named as in the event's JSON: "output", "retrieval.chunks".
func NotApplicable(field string) Verdict {
	return Verdict{Outcome: OutcomeNotApplicable, Reason: "missing " + field}
}

// Withheld returns the verdict of an evaluator that needs content, on an event that was
// published without it ([event.Event.ContentWithheld]): not applicable, with the cause
// in words. It reports false for any other event. Such an evaluator asks before it reads
// anything, because what is left of the event would mislead it: a call of a tool without
// its arguments looks like one that takes none.
func Withheld(e *event.Event) (Verdict, bool) {
	why := "content withheld"
	switch e.ContentWithheld {
	case "":
		return Verdict{}, false
	case event.WithheldTooLarge:
		why += ": the event was too large"
	case event.WithheldNotRedacted:
		why += ": it was not redacted"
	} // any other value is the publisher's own text, which a reason does not repeat
	return Verdict{Outcome: OutcomeNotApplicable, Reason: why}, true
}
