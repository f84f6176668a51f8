package main

import (
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/kafka/deadletter"
	"github.com/evalworker/evalworker/policy"
)

// TestLettersOfAnEvaluator: the sampling policy decides on which letters an evaluator
// would have been run, and an unknown evaluator is a fault.
func TestLettersOfAnEvaluator(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Evaluators = []policy.EvaluatorConfig{
		{Name: "refusal", Type: "refusal"},
		{Name: "billing_only", Type: "refusal", When: `feature == "billing"`},
	}
	letter := func(feature string) *deadletter.Letter {
		return &deadletter.Letter{Headers: []event.Header{
			{Key: "event", Value: []byte("llm_request_completed")}, {Key: "request_id", Value: []byte("r1")}, {Key: "feature", Value: []byte(feature)},
		}}
	}
	for _, c := range []struct {
		evaluator       string
		billing, search bool
	}{{"refusal", true, true}, {"billing_only", true, false}} {
		var filter deadletter.Filter
		if err := (&letterFlags{evaluator: c.evaluator}).matchEvaluator(&filter, &cfg); err != nil {
			t.Fatal(err)
		}
		if got := filter.Match(letter("billing")); got != c.billing {
			t.Errorf("%s takes billing: %v", c.evaluator, got)
		}
		if got := filter.Match(letter("search")); got != c.search {
			t.Errorf("%s takes search: %v", c.evaluator, got)
		}
		if filter.Match(&deadletter.Letter{}) {
			t.Errorf("%s takes a letter without headers, of which nothing is known", c.evaluator)
		}
	}
	err := (&letterFlags{evaluator: "refusl"}).matchEvaluator(&deadletter.Filter{}, &cfg)
	if want := `--evaluator: unknown evaluator "refusl"; did you mean "refusal"?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
