package sampler_test

import (
	"fmt"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sampler"
)

// typical is an event as an emitter sends it: 15 headers.
func typical() *event.Event {
	return &event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req_9f3a51c07be24d", Environment: "prod", Feature: "support_agent",
		PromptName: "support_triage", PromptVersion: "2026-06-01.3", Provider: "anthropic", Model: "claude-sonnet-4",
		Status: "success", FinishReason: "stop", TenantTier: "enterprise", UserRating: event.RatingUp, OutputSchema: "support_reply",
		TraceContext: event.TraceContext{
			"traceparent":                 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			"x-datadog-sampling-priority": "1",
		},
	}
}

func noConditions() (sampler.Config, []sampler.Evaluator) {
	return sampler.Config{DefaultRate: 0.000001, Salt: "bench"}, []sampler.Evaluator{
		{Name: "correctness", Judge: true}, {Name: "safety", Judge: true}, {Name: "tone", Judge: true},
	}
}

// tenConditions is a policy of eight rules and two conditional evaluators that
// reads ten fields and picks almost nothing.
func tenConditions() (sampler.Config, []sampler.Evaluator) {
	cfg, evs := noConditions()
	for i, when := range []string{
		`user_rating == "down"`,
		`status == "error" || finish_reason == "length"`,
		`feature == "checkout_agent"`,
		`tenant_tier in ["platinum", "gold"]`,
		`prompt_version startsWith "2027-"`,
		`model matches "^gpt-[0-9]"`,
		`provider == "local" && environment != "prod"`,
		`lower(prompt_name) contains "legal"`,
	} {
		cfg.Rules = append(cfg.Rules, sampler.Rule{Name: fmt.Sprint("rule ", i), When: when, Rate: 0.5})
	}
	evs[0].When = `feature in ["support_agent", "search"]`
	evs[1].When = `not (environment == "dev")`
	return cfg, evs
}

func newSampler(tb testing.TB, cfg sampler.Config, evs []sampler.Evaluator) *sampler.Sampler {
	tb.Helper()
	s, err := sampler.New(cfg, evs)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// unwanted returns the cases of the benchmarks and of TestUnwantedAllocatesNothing.
func unwanted(tb testing.TB) map[string]*sampler.Sampler {
	tb.Helper()
	return map[string]*sampler.Sampler{
		"no_conditions":  newSampler(tb, first(noConditions()), second(noConditions())),
		"ten_conditions": newSampler(tb, first(tenConditions()), second(tenConditions())),
	}
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }

// BenchmarkHeaders is the common decision: on headers, and no evaluator runs.
func BenchmarkHeaders(b *testing.B) {
	hs := typical().Headers()
	for _, name := range []string{"no_conditions", "ten_conditions"} {
		s := unwanted(b)[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if plan, ok := s.DecideHeaders(hs); !ok || len(plan.Picks) > 0 {
					b.Fatal("wanted")
				}
			}
		})
	}
}

// BenchmarkMiss is a decision on an envelope that is too long for the table.
func BenchmarkMiss(b *testing.B) {
	s := newSampler(b, first(tenConditions()), second(tenConditions()))
	e := typical()
	e.PromptName = string(make([]byte, 300))
	hs := e.Headers()
	b.ReportAllocs()
	for b.Loop() {
		if plan, ok := s.DecideHeaders(hs); !ok || len(plan.Picks) > 0 {
			b.Fatal("wanted")
		}
	}
}

// BenchmarkWanted is a decision for which three evaluators run.
func BenchmarkWanted(b *testing.B) {
	cfg, evs := noConditions()
	cfg.DefaultRate = 1
	s := newSampler(b, cfg, evs)
	hs := typical().Headers()
	b.ReportAllocs()
	for b.Loop() {
		if plan, _ := s.DecideHeaders(hs); len(plan.Picks) != 3 {
			b.Fatal("not wanted")
		}
	}
}
