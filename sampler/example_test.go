package sampler_test

import (
	"fmt"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

func Example() {
	cfg := sampler.DefaultConfig()
	cfg.Rules = []sampler.Rule{
		{Name: "unhappy users", When: `user_rating == "down" || status == "error"`, Rate: 1},
		{Name: "support agent", When: `feature == "support_agent"`, Rate: 0.10, Evaluators: []string{"correctness"}},
	}
	s, err := sampler.New(cfg, []sampler.Evaluator{{Name: "reply_format"}, {Name: "correctness", Judge: true}})
	if err != nil {
		fmt.Println(err)
		return
	}
	event := event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req_9f3a", TraceID: "123456789",
		Feature: "support_agent", UserRating: event.RatingDown,
	}
	plan, ok := s.DecideHeaders(event.Headers())
	fmt.Println(ok)
	for _, p := range plan.Picks {
		fmt.Println(p.Name, p.Probability, p.Rule)
	}
	// Output:
	// true
	// reply_format 1 unhappy users
	// correctness 1 unhappy users
}

func ExampleNew_faults() {
	_, err := sampler.New(sampler.Config{
		DefaultRate: 5,
		Rules:       []sampler.Rule{{Name: "errors", When: `statuss == "error"`, Rate: 1, Evaluators: []string{"corectness"}}},
	}, []sampler.Evaluator{{Name: "correctness", Judge: true}})
	fmt.Println(err)
	// Output:
	// default_rate: 5 is out of range; want 0, or a probability from 1e-9 to 1, such as 0.05 for 5 %
	// 1:1: rules[0].when: unknown field "statuss"; did you mean "status"?
	// rules[0].evaluators[0]: unknown evaluator "corectness"; did you mean "correctness"?
}

func ExampleSampler_Decide() {
	cfg := sampler.DefaultConfig()
	cfg.Upstream = sampler.UpstreamTraces
	s, err := sampler.New(cfg, []sampler.Evaluator{{Name: "reply_format"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// A tracer kept a quarter of the traces and says so, and only those are published.
	env := event.Envelope{Kind: event.KindRequestCompleted, RequestID: "req_9f3a", Tracestate: "ot=th:c"}
	for _, p := range s.Decide(&env).Picks {
		fmt.Printf("%s counts for %g requests\n", p.Name, 1/p.Probability)
	}
	// Output: reply_format counts for 4 requests
}
