package eval

import (
	"github.com/evalworker/evalworker/event"
	"strconv"
)

// FeedbackEvaluator is the name under which a feedback event is reported. No
// evaluator runs for it: the user's rating is the verdict.
const FeedbackEvaluator = "user_feedback"

// Feedback maps a user's rating to an outcome and a score in [0,1]: up 1, down 0, one to
// five stars (n-1)/4 of which four and five pass, one and two fail, and three
// is [OutcomeCannotJudge]; zero and negative numbers fail. Anything else, such
// as a number on an unknown scale, is OutcomeCannotJudge.
func Feedback(r event.Rating) (Outcome, float64) {
	r = event.PlainRating(r)
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
