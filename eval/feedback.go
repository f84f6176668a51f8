package eval

import (
	"fmt"
	"slices"

	"github.com/evalworker/evalworker/event"
)

// FeedbackEvaluator is the name under which a feedback event is reported. No
// evaluator runs for it: the user's rating is the verdict.
const FeedbackEvaluator = "user_feedback"

// feedbackRevision changes when the same rating could get another verdict.
const feedbackRevision = "2"

// From which share of its scale on a rating passes, and below which it fails: of one to
// five stars, four and five pass, one and two fail, and three is neutral.
const (
	passShare = 0.75
	failShare = 0.5
)

// The reasons of feedback that gives no verdict, or a bad one.
const (
	reasonRatedDown    = "user_rating"
	reasonNoScale      = "a number needs its scale: send user_rating_max, or set feedback.rating_max"
	reasonBadScale     = "user_rating_max is not above user_rating_min"
	reasonUnreadScale  = "user_rating_min or user_rating_max is no number"
	reasonOutOfScale   = "user_rating is outside of its scale: send user_rating_min and user_rating_max"
	reasonNeutral      = "user_rating is neutral"
	reasonUnknownWords = "user_rating is no known word: send up, down, or a number with user_rating_max"
)

// RatingScale is the scale of users' numeric ratings, from Min to Max. Without Max there is
// none. Without Min it begins at 1, as stars and points do, or at 0 when Max is 1 or less,
// because a scale needs two ends.
type RatingScale struct {
	Min, Max *float64
}

// Bounds returns both ends of the scale. It reports false when there is no scale.
func (s RatingScale) Bounds() (low, high float64, ok bool) {
	switch {
	case s.Max == nil:
		return 0, 0, false
	case s.Min != nil:
		return *s.Min, *s.Max, true
	case *s.Max <= 1:
		return 0, *s.Max, true
	default:
		return 1, *s.Max, true
	}
}

// Feedback returns the verdict of the user who rated the answer. A thumb passes or fails.
// A number is read on the scale that the event names, else on the one by default; its
// score is its share of that scale, which passes from 0.75 on, fails below 0.5, and is
// neutral in between. [OutcomeCannotJudge] stands for a neutral rating, a number without
// a scale or outside of it, and words without a meaning; the reason says which, and what
// to send. A rating such as "4/5" names its own scale.
func Feedback(e *event.Event, byDefault RatingScale) Verdict {
	v := Verdict{}
	switch r := e.UserRating; r {
	case "":
		v = NotApplicable("user_rating")
	case event.RatingUp:
		v.Outcome, v.Score = OutcomePass, 1
	case event.RatingDown:
		v.Outcome, v.Reason = OutcomeFail, reasonRatedDown
	default:
		v.Outcome, v.Score, v.Reason = scored(e, byDefault)
	}
	v.Eval, v.Type, v.Version = FeedbackEvaluator, TypeUserFeedback, feedbackVersion(byDefault)
	return v
}

// scored returns the verdict on a rating that is no thumb.
func scored(e *event.Event, byDefault RatingScale) (Outcome, float64, string) {
	n, most, ok := e.UserRating.Number()
	if !ok {
		return OutcomeCannotJudge, 0, reasonUnknownWords
	}
	scale := byDefault
	switch unread := e.Ignored(); { // a scale that cannot be read is not the one by default
	case most == 0 && e.UserRatingMax == nil && slices.Contains(unread, "user_rating_max"),
		e.UserRatingMin == nil && slices.Contains(unread, "user_rating_min"):
		return OutcomeCannotJudge, 0, reasonUnreadScale
	case most > 0:
		scale = RatingScale{Min: e.UserRatingMin, Max: &most}
	case e.UserRatingMax != nil:
		scale = RatingScale{Min: e.UserRatingMin, Max: e.UserRatingMax}
	case e.UserRatingMin != nil:
		scale.Min = e.UserRatingMin
	}
	low, high, ok := scale.Bounds()
	switch {
	case !ok:
		return OutcomeCannotJudge, 0, reasonNoScale
	case low >= high:
		return OutcomeCannotJudge, 0, reasonBadScale
	case n < low || n > high:
		return OutcomeCannotJudge, 0, reasonOutOfScale
	}
	share := (n/2 - low/2) / (high/2 - low/2) // halves, because the length of a scale may overflow
	switch {
	case share >= passShare:
		return OutcomePass, share, ""
	case share < failShare:
		return OutcomeFail, share, reasonRatedDown
	default:
		return OutcomeCannotJudge, 0, reasonNeutral
	}
}

// feedbackVersion returns the version of Feedback with a scale by default, which decides
// about numbers that come without one.
func feedbackVersion(byDefault RatingScale) string {
	low, high, ok := byDefault.Bounds()
	if !ok {
		return feedbackRevision
	}
	return fmt.Sprintf("%s:%g..%g", feedbackRevision, low, high)
}
