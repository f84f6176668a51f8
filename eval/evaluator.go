package eval

import (
	"context"
	"strconv"

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

// FeedbackEvaluator is the name under which a feedback event is reported. No
// evaluator runs for it: the user's rating is the verdict.
const FeedbackEvaluator = "user_feedback"

// Feedback maps a user's rating to an outcome and a score in [0,1]: up 1, down 0, one to
// five stars (n-1)/4 of which four and five pass, one and two fail, and three
// is [OutcomeCannotJudge]; zero and negative numbers fail. Anything else, such
// as a number on an unknown scale, is OutcomeCannotJudge.
func Feedback(r event.Rating) (Outcome, float64) {
	r = event.NormalRating(r)
	switch r {
	case event.RatingUp:
		return OutcomePass, 1
	case event.RatingDown:
		return OutcomeFail, 0
	}
	n, err := strconv.ParseFloat(string(r), 64)
	switch {
	case err != nil || n > 5 || n != n:
		return OutcomeCannotJudge, 0
	case n <= 0:
		return OutcomeFail, 0
	case n < 1:
		return OutcomeCannotJudge, 0
	case n < 3:
		return OutcomeFail, (n - 1) / 4
	case n < 4:
		return OutcomeCannotJudge, 0
	default:
		return OutcomePass, (n - 1) / 4
	}
}
