package eval_test

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestFeedback reads ratings as applications publish them.
func TestFeedback(t *testing.T) {
	t.Parallel()
	type verdict struct {
		outcome eval.Outcome
		score   float64
		reason  string // its beginning
	}
	up, down := verdict{eval.OutcomePass, 1, ""}, verdict{eval.OutcomeFail, 0, "user_rating"}
	unknown := func(reason string) verdict { return verdict{eval.OutcomeCannotJudge, 0, reason} }
	const (
		noScale  = "a number needs its scale"
		outside  = "user_rating is outside"
		neutral  = "user_rating is neutral"
		noWord   = "user_rating is no known word"
		badScale = "user_rating_max is not above"
		unread   = "user_rating_min or user_rating_max is no number"
	)
	five := eval.RatingScale{Max: new(5.0)}
	for _, tt := range []struct {
		fields    string // of the event
		byDefault eval.RatingScale
		want      verdict
	}{
		{fields: `"user_rating":"up"`, want: up},
		{fields: `"user_rating":"THUMBS_DOWN"`, want: down},
		{fields: `"user_rating":true`, want: up},
		{fields: `"user_rating":false`, want: down},
		{fields: `"user_rating":"+1"`, want: up},
		{fields: `"user_rating":"-1"`, want: down},
		{fields: `"user_rating":"👎"`, want: down},
		{fields: `"user_rating":"up","user_rating_max":5`, want: up},
		{fields: `"user_rating":"meh"`, want: unknown(noWord)},
		{fields: `"user_rating":"neutral"`, byDefault: five, want: unknown(noWord)},

		// A number alone may be a thumb, stars, or no rating at all.
		{fields: `"user_rating":1`, want: unknown(noScale)},
		{fields: `"user_rating":"1"`, want: unknown(noScale)},
		{fields: `"user_rating":0`, want: unknown(noScale)},
		{fields: `"user_rating":-1`, want: unknown(noScale)},
		{fields: `"user_rating":0.5`, want: unknown(noScale)},
		{fields: `"user_rating":5,"user_rating_min":1`, want: unknown(noScale)},

		// Thumbs as numbers.
		{fields: `"user_rating":1,"user_rating_max":1`, want: up},
		{fields: `"user_rating":0,"user_rating_max":1`, want: down},
		{fields: `"user_rating":0.5,"user_rating_max":1`, want: unknown(neutral)},
		{fields: `"user_rating":1,"user_rating_min":-1,"user_rating_max":1`, want: up},
		{fields: `"user_rating":-1,"user_rating_min":-1,"user_rating_max":1`, want: down},
		{fields: `"user_rating":0,"user_rating_min":-1,"user_rating_max":1`, want: unknown(neutral)},

		// Stars and points.
		{fields: `"user_rating":1,"user_rating_max":5`, want: down},
		{fields: `"user_rating":2,"user_rating_max":5`, want: verdict{eval.OutcomeFail, 0.25, "user_rating"}},
		{fields: `"user_rating":3,"user_rating_max":5`, want: unknown(neutral)},
		{fields: `"user_rating":4,"user_rating_max":5`, want: verdict{eval.OutcomePass, 0.75, ""}},
		{fields: `"user_rating":5,"user_rating_max":5`, want: up},
		{fields: `"user_rating":"4/5"`, want: verdict{eval.OutcomePass, 0.75, ""}},
		{fields: `"user_rating":"★★☆☆☆"`, want: verdict{eval.OutcomeFail, 0.25, "user_rating"}},
		{fields: `"user_rating":"4/5","user_rating_max":10`, want: verdict{eval.OutcomePass, 0.75, ""}},
		{fields: `"user_rating":"0/4","user_rating_min":0`, want: down},
		{fields: `"user_rating":6,"user_rating_min":0,"user_rating_max":10`, want: unknown(neutral)},
		{fields: `"user_rating":8,"user_rating_min":0,"user_rating_max":10`, want: verdict{eval.OutcomePass, 0.8, ""}},
		{fields: `"user_rating":7,"user_rating_max":5`, want: unknown(outside)},
		{fields: `"user_rating":0,"user_rating_max":5`, want: unknown(outside)},
		{fields: `"user_rating":"7/5"`, want: unknown(outside)},
		{fields: `"user_rating":3,"user_rating_min":5,"user_rating_max":1`, want: unknown(badScale)},

		// The ends of a scale are any numbers.
		{fields: `"user_rating":0,"user_rating_min":-1e308,"user_rating_max":1e308`, want: unknown(neutral)},
		{fields: `"user_rating":1e308,"user_rating_min":-1e308,"user_rating_max":1e308`, want: up},
		{fields: `"user_rating":4,"user_rating_max":"5"`, want: verdict{eval.OutcomePass, 0.75, ""}},
		{fields: `"user_rating":-0.0,"user_rating_max":1`, want: down},

		// A scale that cannot be read is not the one by default.
		{fields: `"user_rating":4,"user_rating_max":"five"`, byDefault: eval.RatingScale{Max: new(10.0)}, want: unknown(unread)},
		{fields: `"user_rating":4,"user_rating_max":1e400`, byDefault: five, want: unknown(unread)},
		{fields: `"user_rating":4,"user_rating_max":5,"user_rating_min":"none"`, byDefault: five, want: unknown(unread)},
		{fields: `"user_rating":"4/5","user_rating_max":"five"`, want: verdict{eval.OutcomePass, 0.75, ""}},
		{fields: `"user_rating":4,"user_rating_max":null`, byDefault: five, want: verdict{eval.OutcomePass, 0.75, ""}},

		// A scale by default counts for events that name none.
		{fields: `"user_rating":2`, byDefault: five, want: verdict{eval.OutcomeFail, 0.25, "user_rating"}},
		{fields: `"user_rating":1,"user_rating_max":1`, byDefault: five, want: up},
		{fields: `"user_rating":0,"user_rating_min":0`, byDefault: five, want: down},
		{fields: `"user_rating":-1`, byDefault: eval.RatingScale{Min: new(-1.0), Max: new(1.0)}, want: down},
		{fields: `"user_rating":"1/1"`, byDefault: five, want: up},
	} {
		e, err := event.Decode([]byte(`{"event":"llm_user_feedback","request_id":"r",` + tt.fields + `}`))
		if err != nil {
			t.Fatal(err)
		}
		v := eval.Feedback(e, tt.byDefault)
		if v.Outcome != tt.want.outcome || v.Score != tt.want.score || !strings.HasPrefix(v.Reason, tt.want.reason) || (v.Reason == "") != (tt.want.reason == "") {
			t.Errorf("%s is %s %g (%s); want %s %g (%s)", tt.fields, v.Outcome, v.Score, v.Reason, tt.want.outcome, tt.want.score, tt.want.reason)
		}
		if v.Eval != eval.FeedbackEvaluator || v.Type != eval.TypeUserFeedback || v.Version == "" {
			t.Errorf("%s: a verdict of %q, type %q, version %q", tt.fields, v.Eval, v.Type, v.Version)
		}
	}
	if v := eval.Feedback(&event.Event{}, five); v.Outcome != eval.OutcomeNotApplicable || v.Reason != "missing user_rating" {
		t.Errorf("no rating is %s (%s)", v.Outcome, v.Reason)
	}
}

// TestFeedbackVersion: the version changes with the scale by default, which decides
// about numbers.
func TestFeedbackVersion(t *testing.T) {
	t.Parallel()
	rated := &event.Event{UserRating: "up"}
	seen := map[string]bool{}
	for _, scale := range []eval.RatingScale{{}, {Max: new(5.0)}, {Max: new(1.0)}, {Min: new(-1.0), Max: new(1.0)}} {
		v := eval.Feedback(rated, scale).Version
		if seen[v] {
			t.Errorf("two scales have the version %s", v)
		}
		seen[v] = true
	}
	if eval.Feedback(rated, eval.RatingScale{Max: new(5.0)}).Version != eval.Feedback(rated, eval.RatingScale{Min: new(1.0), Max: new(5.0)}).Version {
		t.Error("one scale in two spellings has two versions")
	}
}
